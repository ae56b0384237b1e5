//! The history of limits, for people: adaptation moves a limit in many small steps, which are
//! told as one.

use super::thousands;
use crate::model::{EndpointIndex, LimitChange, LimitName, LimitSetBy, UnixMillis};

/// One line of the history: a change, or several that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRow {
    /// Of the last one.
    pub at: UnixMillis,
    pub endpoint: EndpointIndex,
    pub limit: LimitName,
    pub from: Option<u32>,
    pub to: Option<u32>,
    pub set_by: LimitSetBy,
    /// Of the last one that lowered the limit, or else of the last one.
    pub reason: String,
    /// How many changes it was.
    pub steps: u32,
    /// Whether one of them lowered the limit.
    pub lowered: bool,
}

impl ChangeRow {
    fn new(change: &LimitChange) -> Self {
        Self {
            at: change.at,
            endpoint: change.endpoint,
            limit: change.limit,
            from: change.from,
            to: change.to,
            set_by: change.set_by,
            reason: change.reason.clone(),
            steps: 1,
            lowered: !is_raise(change),
        }
    }

    fn take_in(&mut self, change: &LimitChange) {
        if !is_raise(change) || !self.lowered {
            self.reason.clone_from(&change.reason);
        }
        self.lowered |= !is_raise(change);
        self.at = change.at;
        self.to = change.to;
        self.steps += 1;
    }

    fn recovers(&self) -> bool {
        self.set_by == LimitSetBy::Adaptation && !self.lowered
    }

    /// `requests/min 500 -> 425, adaptation: 429 requests`
    pub fn words(&self) -> String {
        let author = author(self.set_by);
        let mut words =
            format!("{} {} -> {}", self.limit.label(), value(self.from), value(self.to));
        if self.steps > 1 {
            words.push_str(&format!(" in {} steps", self.steps));
        }
        words.push_str(&format!(", {author}"));
        // `by hand: set by hand` would say it twice.
        if !self.reason.is_empty() && !self.reason.contains(author) {
            words.push_str(&format!(": {}", self.reason));
        }
        words
    }
}

/// A limit as people read it.
pub fn value(limit: Option<u32>) -> String {
    limit.map_or_else(|| "no limit".to_owned(), |limit| thousands(u64::from(limit)))
}

/// Who changed a limit, as people read it.
pub const fn author(set_by: LimitSetBy) -> &'static str {
    match set_by {
        LimitSetBy::User => "by hand",
        LimitSetBy::Header => "header",
        LimitSetBy::Adaptation => "adaptation",
    }
}

/// The history, in the order of each line's last change. The steps in which adaptation lets a
/// limit of an endpoint recover are one line, until something else happens to that limit.
pub fn joined<'a>(changes: impl IntoIterator<Item = &'a LimitChange>) -> Vec<ChangeRow> {
    join(changes, |row, change| {
        change.set_by == LimitSetBy::Adaptation && is_raise(change) && row.recovers()
    })
}

/// What the changes come to: one line for each limit of an endpoint and each author.
pub fn net<'a>(changes: impl IntoIterator<Item = &'a LimitChange>) -> Vec<ChangeRow> {
    join(changes, |row, change| row.set_by == change.set_by)
}

fn join<'a>(
    changes: impl IntoIterator<Item = &'a LimitChange>,
    belong_together: impl Fn(&ChangeRow, &LimitChange) -> bool,
) -> Vec<ChangeRow> {
    let mut rows: Vec<ChangeRow> = Vec::new();
    for change in changes {
        let same = |row: &ChangeRow| (row.endpoint, row.limit) == (change.endpoint, change.limit);
        // The last line about the same limit, if it goes on.
        let row = match rows.iter().rposition(same) {
            Some(at) if belong_together(&rows[at], change) => {
                let mut row = rows.remove(at);
                row.take_in(change);
                row
            }
            _ => ChangeRow::new(change),
        };
        rows.push(row);
    }
    rows
}

/// Whether the limit goes up; "no limit" is above all.
fn is_raise(change: &LimitChange) -> bool {
    let height = |limit: Option<u32>| limit.map_or(u64::MAX, u64::from);
    height(change.to) > height(change.from)
}
