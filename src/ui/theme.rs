//! Styles by role. No view names a colour.

use crate::model::InterviewStatus;
use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use std::collections::BTreeMap;

const BUILT_IN: &str = include_str!("../../config/colours.yaml");

/// The theme where colours are shown and none was asked for.
pub const DEFAULT: &str = "default";
/// The theme where no colours are shown.
pub const MONO: &str = "mono";

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Text,
    Dim,
    Title,
    Border,
    Focus,
    Key,
    Good,
    Info,
    Warning,
    Bad,
    Alert,
    Selection,
    Queued,
    Waiting,
    InFlight,
    BackingOff,
    InBatch,
    Cached,
    Done,
    Flagged,
    Refused,
    Failed,
    Requests,
    Tokens,
    Bar,
    BarNear,
    Limit,
}

impl Role {
    const COUNT: usize = Self::Limit as usize + 1;

    /// The role of a status.
    pub const fn of(status: InterviewStatus) -> Self {
        match status {
            InterviewStatus::Queued => Self::Queued,
            InterviewStatus::WaitingForSlot
            | InterviewStatus::WaitingForRequests
            | InterviewStatus::WaitingForTokens => Self::Waiting,
            InterviewStatus::InFlight => Self::InFlight,
            InterviewStatus::BackingOff => Self::BackingOff,
            InterviewStatus::InBatch => Self::InBatch,
            InterviewStatus::Cached => Self::Cached,
            InterviewStatus::Done => Self::Done,
            InterviewStatus::Flagged => Self::Flagged,
            InterviewStatus::Refused => Self::Refused,
            InterviewStatus::Failed => Self::Failed,
        }
    }
}

/// A style for every role.
#[derive(Clone, Debug)]
pub struct Theme([Style; Role::COUNT]);

/// A theme that is not there, or does not hold.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ThemeError {
    #[error("config/colours.yaml: {0}; see its first lines for the form")]
    Syntax(String),
    #[error("config/colours.yaml: {theme}.{role:?}: {word:?} is neither a colour nor a modifier")]
    NotAStyle { theme: String, role: Role, word: String },
    #[error("config/colours.yaml: {theme} has {found} of {} roles; give each a style", Role::COUNT)]
    Incomplete { theme: String, found: usize },
    #[error("there is no theme {name:?}; take one of {known}")]
    Unknown { name: String, known: String },
}

impl Theme {
    /// One of the themes that come with the program.
    pub fn built_in(name: &str) -> Result<Self, ThemeError> {
        let themes: BTreeMap<String, BTreeMap<Role, String>> =
            serde_yaml::from_str(BUILT_IN).map_err(|e| ThemeError::Syntax(e.to_string()))?;
        let Some(roles) = themes.get(name) else {
            let known = themes.into_keys().collect::<Vec<_>>().join(", ");
            return Err(ThemeError::Unknown { name: name.to_owned(), known });
        };
        if roles.len() != Role::COUNT {
            return Err(ThemeError::Incomplete { theme: name.to_owned(), found: roles.len() });
        }
        let mut styles = [Style::new(); Role::COUNT];
        for (&role, words) in roles {
            styles[role as usize] = style(words).map_err(|word| ThemeError::NotAStyle {
                theme: name.to_owned(),
                role,
                word,
            })?;
        }
        Ok(Self(styles))
    }

    /// The style of a role.
    pub const fn style(&self, role: Role) -> Style {
        self.0[role as usize]
    }
}

/// Reads words such as `light-red bold`; the word that is none is the error.
fn style(words: &str) -> Result<Style, String> {
    let mut style = Style::new();
    for word in words.split_whitespace() {
        style = match word {
            "bold" => style.add_modifier(Modifier::BOLD),
            "dim" => style.add_modifier(Modifier::DIM),
            "reversed" => style.add_modifier(Modifier::REVERSED),
            "underlined" => style.add_modifier(Modifier::UNDERLINED),
            color => style.fg(color.parse::<Color>().map_err(|_| word.to_owned())?),
        };
    }
    Ok(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_gives_every_role_a_style_and_paints_no_background() {
        for name in [DEFAULT, "colour-blind", MONO] {
            let theme = Theme::built_in(name).unwrap();
            assert!(theme.0.iter().all(|style| style.bg.is_none()), "{name}");
        }
        assert!(Theme::built_in(MONO).unwrap().0.iter().all(|style| style.fg.is_none()));
    }

    #[test]
    fn the_default_keeps_to_16_colours() {
        for style in Theme::built_in(DEFAULT).unwrap().0 {
            assert!(!matches!(style.fg, Some(Color::Indexed(_) | Color::Rgb(..))), "{style:?}");
        }
    }

    #[test]
    fn an_unknown_theme_is_answered_with_the_known_ones() {
        let error = Theme::built_in("pink").unwrap_err().to_string();
        assert!(error.contains("colour-blind, default, mono"), "{error}");
    }

    #[test]
    fn the_selection_shows_in_every_theme() {
        for name in [DEFAULT, "colour-blind", MONO] {
            let style = Theme::built_in(name).unwrap().style(Role::Selection);
            assert!(style.add_modifier.contains(Modifier::REVERSED), "{name}");
        }
    }
}
