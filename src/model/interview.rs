//! Where an interview stands, and how it ended.

use super::{Answer, Failure};
use serde::{Deserialize, Serialize};

/// Where one persona's interview stands, with the reason: one byte, kept for every persona.
/// The codes are part of the run file and never change their meaning.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum InterviewStatus {
    #[default]
    Queued = 0,
    WaitingForSlot = 1,
    WaitingForRequests = 2,
    WaitingForTokens = 3,
    InFlight = 4,
    BackingOff = 5,
    /// Its call is a line of a batch that is not over.
    InBatch = 11,
    /// Answered and on disk, and nothing was sent for it: every reply came from the cache.
    Cached = 6,
    /// Answered, and the answer is on disk.
    Done = 7,
    /// Answered and on disk, with something that the critics were not content with.
    Flagged = 8,
    /// The model declined to answer; kept as its result.
    Refused = 9,
    Failed = 10,
}

impl InterviewStatus {
    /// How many different statuses there are.
    pub const COUNT: usize = 12;

    /// Every status, in the order of an interview's life.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Queued,
        Self::WaitingForSlot,
        Self::WaitingForRequests,
        Self::WaitingForTokens,
        Self::InFlight,
        Self::BackingOff,
        Self::InBatch,
        Self::Cached,
        Self::Done,
        Self::Flagged,
        Self::Refused,
        Self::Failed,
    ];

    /// The byte that stands for this status.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The status that a byte stands for.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// Its place in [`Self::ALL`].
    pub const fn ordinal(self) -> usize {
        match self {
            Self::Queued => 0,
            Self::WaitingForSlot => 1,
            Self::WaitingForRequests => 2,
            Self::WaitingForTokens => 3,
            Self::InFlight => 4,
            Self::BackingOff => 5,
            Self::InBatch => 6,
            Self::Cached => 7,
            Self::Done => 8,
            Self::Flagged => 9,
            Self::Refused => 10,
            Self::Failed => 11,
        }
    }

    /// Whether the interview is over.
    pub const fn is_over(self) -> bool {
        self.is_answered() || matches!(self, Self::Refused | Self::Failed)
    }

    /// Whether there is an answer, on disk.
    pub const fn is_answered(self) -> bool {
        matches!(self, Self::Cached | Self::Done | Self::Flagged)
    }

    /// Whether the interview stands in the line for a permit.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::WaitingForSlot | Self::WaitingForRequests | Self::WaitingForTokens)
    }

    /// The status in words.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::WaitingForSlot => "waiting for a slot",
            Self::WaitingForRequests => "waiting for requests/min",
            Self::WaitingForTokens => "waiting for tokens/min",
            Self::InFlight => "in flight",
            Self::BackingOff => "backing off",
            Self::InBatch => "in a batch",
            Self::Cached => "done, from the cache",
            Self::Done => "done",
            Self::Flagged => "done with flags",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::WaitingForSlot => "waiting_for_slot",
            Self::WaitingForRequests => "waiting_for_requests",
            Self::WaitingForTokens => "waiting_for_tokens",
            Self::InFlight => "in_flight",
            Self::BackingOff => "backing_off",
            Self::InBatch => "in_batch",
            Self::Cached => "cached",
            Self::Done => "done",
            Self::Flagged => "flagged",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// How an interview ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    Answered(Answer),
    /// Answered, and every reply that it took came from the cache.
    Cached(Answer),
    /// Answered, with what the critics were not content with. Never without an issue.
    Flagged {
        answer: Answer,
        issues: Vec<String>,
    },
    Refused {
        reason: String,
    },
    Failed(Failure),
}

impl Fate {
    /// The status that this end leaves behind.
    pub const fn status(&self) -> InterviewStatus {
        match self {
            Self::Answered(_) => InterviewStatus::Done,
            Self::Cached(_) => InterviewStatus::Cached,
            Self::Flagged { .. } => InterviewStatus::Flagged,
            Self::Refused { .. } => InterviewStatus::Refused,
            Self::Failed(_) => InterviewStatus::Failed,
        }
    }
}

impl Fate {
    /// The answer, where there is one.
    pub const fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answered(answer) | Self::Cached(answer) | Self::Flagged { answer, .. } => {
                Some(answer)
            }
            Self::Refused { .. } | Self::Failed(_) => None,
        }
    }
}

/// How many personas have each status. The counts always sum to the number of personas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCounts([u32; InterviewStatus::COUNT]);

impl StatusCounts {
    /// All of `total` personas queued.
    pub fn all_queued(total: u32) -> Self {
        let mut counts = Self::default();
        counts.0[InterviewStatus::Queued.ordinal()] = total;
        counts
    }

    /// Counts a list of statuses.
    pub fn of(statuses: &[InterviewStatus]) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            counts.0[status.ordinal()] += 1;
        }
        counts
    }

    /// How many have this status.
    pub const fn get(&self, status: InterviewStatus) -> u32 {
        self.0[status.ordinal()]
    }

    /// How many have answered, with flags or without, wherever the answers came from.
    pub const fn answered(&self) -> u32 {
        self.get(InterviewStatus::Cached)
            + self.get(InterviewStatus::Done)
            + self.get(InterviewStatus::Flagged)
    }

    /// One persona went from one status to another.
    pub const fn change(&mut self, from: InterviewStatus, to: InterviewStatus) {
        self.change_many(from, to, 1);
    }

    /// So many personas went from one status to another.
    pub const fn change_many(&mut self, from: InterviewStatus, to: InterviewStatus, many: u32) {
        let left = &mut self.0[from.ordinal()];
        *left = left.saturating_sub(many);
        self.0[to.ordinal()] += many;
    }

    /// How many there are in all.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// How many interviews are over.
    pub fn over(&self) -> u32 {
        InterviewStatus::ALL.into_iter().filter(|s| s.is_over()).map(|s| self.get(s)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::InterviewStatus;

    #[test]
    fn every_status_survives_its_code_and_knows_its_place() {
        for (place, status) in InterviewStatus::ALL.into_iter().enumerate() {
            assert_eq!(InterviewStatus::from_code(status.code()), Some(status));
            assert_eq!(status.ordinal(), place);
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("{:?}", status.as_str()));
        }
        assert_eq!(InterviewStatus::from_code(200), None);
    }
}
