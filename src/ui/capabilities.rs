//! What the terminal can do, as far as the environment tells. The terminal itself is never
//! asked: an answer may never come, and would arrive among the keys.

use super::ColorChoice;

/// What is known of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether characters beyond ASCII can be shown.
    pub unicode: bool,
    /// Whether colours are wanted and can be shown.
    pub color: bool,
    /// Frames a second at most.
    pub frames_per_second: u32,
    /// Whether escape sequences for the outer terminal have to pass through tmux.
    pub tmux: bool,
    /// Whether titles and other operating system commands are understood, or at least skipped.
    pub osc: bool,
    /// Whether OSC 9;4 shows as a progress bar; elsewhere it would pop up as a message.
    pub progress: bool,
}

/// Frames a second on a local terminal.
const FPS: u32 = 20;
/// Frames a second over ssh, where bytes cost more than smoothness is worth.
const FPS_SSH: u32 = 10;

impl Capabilities {
    /// Reads them from the environment.
    pub fn detect(
        env: impl Fn(&str) -> Option<String>,
        color: ColorChoice,
        ascii: Option<bool>,
        fps: Option<u32>,
    ) -> Self {
        let var = |name: &str| env(name).filter(|value| !value.is_empty());
        let term = var("TERM").unwrap_or_default();
        let console = matches!(term.as_str(), "linux" | "dumb");
        let tmux = var("TMUX").is_some();
        let ssh = var("SSH_CONNECTION").is_some();
        Self {
            unicode: !ascii.unwrap_or_else(|| console || !utf8(var)),
            color: match color {
                ColorChoice::Always => true,
                ColorChoice::Never => false,
                ColorChoice::Auto => var("NO_COLOR").is_none() && term != "dumb",
            },
            frames_per_second: fps.unwrap_or(if ssh { FPS_SSH } else { FPS }).clamp(1, 60),
            tmux,
            osc: !console,
            progress: !tmux && shows_progress(var),
        }
    }
}

/// POSIX: the first of these that is set decides.
fn utf8(var: impl Fn(&str) -> Option<String>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(var).is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// The terminals known to draw OSC 9;4, by the variables they set (the list cargo uses).
fn shows_progress(var: impl Fn(&str) -> Option<String>) -> bool {
    let program = var("TERM_PROGRAM").unwrap_or_default();
    var("WT_SESSION").is_some()
        || var("ConEmuANSI").is_some_and(|v| v == "ON")
        || matches!(program.as_str(), "WezTerm" | "ghostty")
        || (program == "iTerm.app" && var("TERM_FEATURES").is_some_and(|f| f.contains('P')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Capabilities {
        asked(vars, ColorChoice::Auto, None, None)
    }

    fn asked(
        vars: &[(&str, &str)],
        color: ColorChoice,
        ascii: Option<bool>,
        fps: Option<u32>,
    ) -> Capabilities {
        let find = |name: &str| {
            vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        Capabilities::detect(find, color, ascii, fps)
    }

    #[test]
    fn the_locale_and_the_console_decide_on_the_glyphs() {
        assert!(with(&[("LANG", "en_AU.UTF-8")]).unicode);
        assert!(with(&[("LANG", "C"), ("LC_ALL", "C.utf8")]).unicode);
        assert!(!with(&[("LANG", "en_AU.UTF-8"), ("LC_ALL", "C")]).unicode);
        assert!(!with(&[("LANG", "en_AU.UTF-8"), ("TERM", "linux")]).unicode);
        assert!(!with(&[]).unicode);
        let utf8 = [("LANG", "en_AU.UTF-8")];
        assert!(!asked(&utf8, ColorChoice::Auto, Some(true), None).unicode);
        assert!(asked(&[], ColorChoice::Auto, Some(false), None).unicode);
    }

    #[test]
    fn no_color_holds_unless_colour_is_asked_for() {
        let none = [("NO_COLOR", "1")];
        assert!(!with(&none).color);
        assert!(asked(&none, ColorChoice::Always, None, None).color);
        assert!(with(&[("NO_COLOR", "")]).color);
        assert!(!asked(&[], ColorChoice::Never, None, None).color);
    }

    #[test]
    fn over_ssh_half_the_frames_are_drawn() {
        let ssh = [("SSH_CONNECTION", "10.0.0.1 5 10.0.0.2 22")];
        assert_eq!(with(&[]).frames_per_second, 20);
        assert_eq!(with(&ssh).frames_per_second, 10);
        assert_eq!(asked(&ssh, ColorChoice::Auto, None, Some(30)).frames_per_second, 30);
        assert_eq!(asked(&ssh, ColorChoice::Auto, None, Some(0)).frames_per_second, 1);
    }

    #[test]
    fn progress_goes_only_where_it_is_drawn() {
        assert!(!with(&[("TERM", "xterm-256color")]).progress);
        assert!(with(&[("TERM_PROGRAM", "ghostty")]).progress);
        assert!(!with(&[("TERM_PROGRAM", "ghostty"), ("TMUX", "/tmp/x")]).progress);
        assert!(!with(&[("TERM", "linux")]).osc);
    }
}
