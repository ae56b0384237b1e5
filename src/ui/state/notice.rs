//! The notice in the footer: what became of the last command, and for how long it is news.

use super::UiState;
use crate::{model::UnixMillis, protocol::Order};

/// How long an outcome is news, in milliseconds: for so long it has the place of what can wait.
const FRESH_MS: i64 = 8_000;

/// How long the outcome of another command does not take the place of a refusal.
const REFUSAL_STANDS_MS: i64 = 1_000;

/// What became of the last command, for the footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub at: UnixMillis,
    pub tone: Tone,
    pub text: String,
}

/// How a notice is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Applied,
    /// Nothing changed, and nothing is wrong.
    Info,
    Refused,
}

impl UiState {
    /// What became of a command a moment ago.
    pub fn fresh_notice(&self) -> Option<&Notice> {
        self.notice.as_ref().filter(|notice| self.now.0 - notice.at.0 < FRESH_MS)
    }

    /// Shows the outcome of a command. One key press may have been several commands, a command for
    /// each endpoint: what was refused is not hidden by the others.
    pub(super) fn notify(&mut self, order: Option<&Order>, notice: Option<Notice>) {
        let Some(mut notice) = notice else { return };
        let refused = |shown: &Notice| {
            shown.tone == Tone::Refused && self.now.0 - shown.at.0 < REFUSAL_STANDS_MS
        };
        if notice.tone == Tone::Applied && self.notice.as_ref().is_some_and(refused) {
            return;
        }
        if let (Some(Order::SetLimit { endpoint: Some(endpoint), .. }), Some(run)) =
            (order, &self.run)
            && run.meters.endpoints.len() > 1
        {
            let name = run.endpoint_name(*endpoint);
            if !notice.text.contains(&name) {
                notice.text = format!("{name}: {}", notice.text);
            }
        }
        self.notice = Some(notice);
    }

    pub(super) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice { at: self.now, tone, text: text.into() });
    }
}
