//! That nothing comes back.

use super::{Situation, plural, short_clock};
use crate::{
    model::{InterviewStatus as S, UnixMillis},
    protocol::FailureTally,
};

/// Calls are made, and none has given an answer for a minute: when a run looks hung, this says so
/// and with which error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm<'a> {
    /// When an answer last came, or the run began.
    pub since: UnixMillis,
    /// Personas in flight or backing off.
    pub under_way: u32,
    /// The last failure, where there was one.
    pub last: Option<&'a FailureTally>,
}

impl<'a> Situation<'a> {
    /// The alarm, while it is on.
    pub fn alarm(&self) -> Option<Alarm<'a>> {
        let since = self.meters.nothing_since?;
        let under_way = self.counts.get(S::InFlight) + self.counts.get(S::BackingOff);
        let last = self.meters.failures.iter().max_by_key(|tally| tally.last_at.0);
        Some(Alarm { since, under_way, last })
    }
}

impl Alarm<'_> {
    /// `nothing answered for 01:12: 41 under way, last error timeout: no reply within 60 s`.
    /// `since` is the time of day, where it can be told.
    pub fn words(&self, now: UnixMillis, since: Option<&str>) -> String {
        let quiet = short_clock(now.since(self.since));
        let since = since.map_or_else(String::new, |at| format!(", since {at}"));
        let under_way = plural(u64::from(self.under_way), "persona", "personas");
        let last = match self.last {
            Some(tally) => format!("last error {}: {}", tally.kind, tally.last_message),
            None => "and no word from the provider".to_owned(),
        };
        format!("nothing answered for {quiet}{since}: {under_way} under way, {last}")
    }
}
