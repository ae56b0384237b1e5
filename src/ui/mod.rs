//! The dashboard: a run on one screen, and the keys that steer it.
//!
//! ```text
//! keys.yaml -> keymap: key -> Action --.
//! link: Update ------------------------+-> state: UiState.apply(Input) -> Effect -> event_loop
//! signals, clock, size ----------------'        |                          (orders, files, exit)
//!                                               v
//!                       view: draw(frame, area, &state, &look) -> screen: bytes -> terminal
//! ```
//!
//! `state` is a pure reducer; `view` reads it, a panel a file, with `widget` as its parts;
//! `layout` says where each panel goes at every size, `theme` and `glyphs` how things look,
//! `capabilities` what the terminal can show, `advice` what holds the run back, `alerts` what
//! must not be overlooked. Only `event_loop`, `terminal` and `signals` touch the outside, and what
//! is between them and the terminal: `output` writes one frame at a time, `line` and `ssh` look how
//! fast it gets there, and `pace` says when the next one is due.

pub mod action;
pub mod advice;
mod alerts;
pub mod capabilities;
mod detail;
mod event_loop;
#[cfg(test)]
mod fixture;
pub mod format;
mod frame_budget;
pub mod glyphs;
pub mod keymap;
pub mod layout;
mod legend;
pub mod line;
mod output;
pub mod screen;
mod signals;
mod ssh;
pub mod state;
mod steps;
mod synopsis;
mod talk_lines;
mod terminal;
pub mod text;
pub mod theme;
pub mod timeline;
pub mod view;
mod widget;

use crate::link::FrontEndLink;
use action::Action;
use capabilities::Capabilities;
use glyphs::Glyphs;
use keymap::{Keymap, KeymapError};
use line::LineRate;
use std::io;
use theme::{Theme, ThemeError};
use view::Look;

/// What the command line can say about the dashboard.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to keep to ASCII; `None` goes by the locale and the terminal.
    pub ascii: Option<bool>,
    /// Frames a second at most; `None` is 20, and 10 over ssh.
    pub fps: Option<u32>,
    /// Bytes a second that the line to the terminal carries; `None` goes by what can be seen.
    pub line_rate: Option<u32>,
    /// A theme of `config/colours.yaml`; `None` is `default`, or `mono` without colours.
    pub theme: Option<String>,
    pub color: ColorChoice,
    /// Whether to stay after the end of the run, until a key leaves.
    pub keep_open: bool,
    pub attachment: Attachment,
}

/// Where the engine is, and what this dashboard may do with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attachment {
    /// In this process: the run ends with the dashboard.
    #[default]
    InProcess,
    /// In another one: leaving the dashboard leaves the run as it is.
    Control,
    /// The same, only to look.
    ReadOnly,
    /// Nowhere: what is on record is played again.
    Replay,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ascii: None,
            fps: None,
            line_rate: None,
            theme: None,
            color: ColorChoice::Auto,
            keep_open: true,
            attachment: Attachment::InProcess,
        }
    }
}

/// Whether colours are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// Unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// Why the dashboard is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The user left, after the end or after a stop that was asked for from here.
    Left,
    /// The user left a run that goes on.
    Detached,
    /// The terminal is gone.
    HungUp,
    /// The engine is gone before the end of the run, or something panicked.
    EngineGone,
}

/// Why there is no dashboard.
#[derive(Debug, thiserror::Error)]
pub enum UiError {
    #[error("cannot use the terminal: {0}; --plain needs none")]
    Terminal(io::Error),
    #[error("cannot listen to signals: {0}")]
    Signals(io::Error),
    #[error("cannot start the dashboard's runtime: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Keys(#[from] KeymapError),
    #[error(transparent)]
    Theme(#[from] ThemeError),
}

impl Look {
    /// How things look on this terminal with these options.
    pub fn new(capabilities: &Capabilities, options: &Options) -> Result<Self, UiError> {
        let theme = match &options.theme {
            _ if !capabilities.color => theme::MONO,
            Some(name) => name,
            None => theme::DEFAULT,
        };
        // A name that is not there is an error even where no colours are shown.
        if let Some(name) = &options.theme {
            Theme::built_in(name)?;
        }
        Ok(Self {
            theme: Theme::built_in(theme)?,
            glyphs: if capabilities.unicode { Glyphs::UNICODE } else { Glyphs::ASCII },
            keys: match options.attachment {
                Attachment::InProcess => Keymap::built_in()?.of_a_run().without(Action::Detach),
                Attachment::Control | Attachment::ReadOnly => Keymap::built_in()?.of_a_run(),
                Attachment::Replay => Keymap::built_in()?.of_a_replay(),
            },
            zone: jiff::tz::TimeZone::system(),
        })
    }
}

/// Shows the run behind the link until the user leaves, the terminal is gone or the engine is.
/// Blocks its thread; the terminal is left as it was, also on an error and on a panic.
pub fn run(link: FrontEndLink, options: Options) -> Result<Exit, UiError> {
    let env = |name: &str| std::env::var(name).ok();
    let capabilities = Capabilities::detect(env, options.color, options.ascii, options.fps);
    let look = Look::new(&capabilities, &options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(UiError::Runtime)?;
    let leaving = state::Leaving { keep_open: options.keep_open, attachment: options.attachment };
    let told = options.line_rate.map(LineRate::bytes_per_second);
    let told = told.or_else(|| LineRate::of_terminal(io::stdout()));
    runtime.block_on(event_loop::run(link, capabilities, told, look, leaving))
}
