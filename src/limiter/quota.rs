//! A quota: the two rates that one endpoint, or a group of endpoints of one project, may use.
//!
//! What is in force is worked out from three things, the smallest of which holds: what somebody
//! set (a ceiling), what the provider says in its headers, and what adaptation has made of it. A
//! preset or a default is a guess that the provider's word replaces.

use super::{
    adaptation::{Adaptation, Denial, Knowledge, Second},
    clock::Moment,
    intake::{self, Unit},
    line::Constraint,
    meters::{Meter, RECENT},
    pause::{self, Pause},
    rate::{FromTo, Rate, USED_UP},
};
use crate::model::{
    FailureKind, Guessed, LimitName, LimitSetBy, Limits, PerMinute, QuotaSaid, Tokens, UnixMillis,
    WindowSaid,
};
use std::time::Duration;

/// Where nothing is left, the reset header tells when all of it is there again, which for a token
/// bucket is far too long to wait. A 429 that comes after this tells the exact time.
const LONGEST_RESET: Duration = Duration::from_secs(1);

/// Requests a minute, for a first guess where nothing tells better.
const START: f64 = 60.0;

/// A rate in force that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) limit: LimitName,
    pub(super) from: Option<PerMinute>,
    pub(super) to: Option<PerMinute>,
    pub(super) set_by: LimitSetBy,
    pub(super) reason: String,
}

/// A quota and what is known of it.
pub(super) struct Quota {
    requests: Rate,
    tokens: Rate,
    /// Kept apart from the buckets: a pause is neither rescaled by a new rate nor lifted by a
    /// refund, and a quota without limits has it too.
    pause: Pause,
    adaptation: Adaptation,
    adapting: bool,
    /// What is let in, by all that share it.
    meter: Meter,
    /// What comes back for a request sent before this is older than what is known.
    said_at: Option<Moment>,
    /// The last call that taught something came back broken.
    breaking: bool,
    /// Since when the provider's word has been the same.
    same_since: Moment,
    /// When the last second passed.
    second_at: Moment,
}

impl Quota {
    pub(super) fn new(limits: &Limits, guessed: Guessed, now: Moment) -> Self {
        let (requests, tokens) = (limits.requests_per_minute, limits.tokens_per_minute);
        Self {
            requests: Rate::new(
                LimitName::RequestsPerMinute,
                requests,
                guessed.requests_per_minute,
                now,
            ),
            tokens: Rate::new(LimitName::TokensPerMinute, tokens, guessed.tokens_per_minute, now),
            pause: Pause::default(),
            adaptation: Adaptation::new(Knowledge::Known),
            adapting: false,
            meter: Meter::new(),
            said_at: None,
            breaking: false,
            same_since: now,
            second_at: now,
        }
    }

    /// When the next request may go as far as rates and pause are concerned, and what holds it
    /// back until then.
    pub(super) fn ready_at(&self) -> (Moment, Constraint) {
        [
            (self.pause.until(), Constraint::Pause),
            (self.tokens.ready_at(), Constraint::Tokens),
            (self.requests.ready_at(), Constraint::Requests),
        ]
        .into_iter()
        .max_by_key(|(at, _)| *at)
        .unwrap_or((Moment::default(), Constraint::Requests))
    }

    /// Takes one request and its tokens, or nothing.
    #[must_use]
    pub(super) fn take(&mut self, tokens: Tokens, now: Moment) -> bool {
        if self.pause.until() > now || !self.tokens.take(tokens.0, now) {
            return false;
        }
        if !self.requests.take(1, now) {
            self.tokens.untake(tokens.0, now);
            return false;
        }
        self.adaptation.intake().count(tokens);
        self.meter.count(now, tokens.0);
        true
    }

    /// Gives back what was taken at `at` and not used. True where another may go earlier for it.
    pub(super) fn give_back(
        &mut self,
        at: Moment,
        requests: u64,
        (reserved, used): (Tokens, Tokens),
        now: Moment,
    ) -> bool {
        self.adaptation.intake().correct(at, requests, (reserved, used));
        match requests {
            0 => self.meter.correct(at, reserved.0, used.0),
            _ => self.meter.uncount(at, reserved.0),
        }
        let requests = self.requests.correct(at, requests, 0, now);
        let tokens = self.tokens.correct(at, reserved.0, used.0, now);
        requests || tokens
    }

    /// Lets nothing go for `wait` from now on, for a reason that tells nothing of the quota. A
    /// shorter pause than the one that holds changes nothing.
    pub(super) fn pause(&mut self, wait: Duration, now: Moment) {
        self.adaptation.intake().forget();
        self.pause.extend(wait, now);
    }

    /// Lifts the pause.
    pub(super) fn end_pause(&mut self) {
        self.pause.end();
    }

    /// The end of the pause, while there is one.
    pub(super) fn paused_until(&self, now: Moment) -> Option<UnixMillis> {
        self.pause.shown(now)
    }

    /// What is in force: requests and tokens a minute.
    pub(super) const fn in_force(&self) -> (Option<PerMinute>, Option<PerMinute>) {
        (self.requests.in_force(), self.tokens.in_force())
    }

    /// The rates as they were set: requests and tokens a minute.
    pub(super) const fn set_rates(&self) -> (Option<PerMinute>, Option<PerMinute>) {
        (self.requests.set(), self.tokens.set())
    }

    /// Whether a rate in force was found out: requests and tokens a minute.
    pub(super) const fn found_rates(&self) -> (bool, bool) {
        (self.adapting && self.requests.is_found(), self.adapting && self.tokens.is_found())
    }

    /// What adaptation has made of it: 1 is all.
    pub(super) const fn factor(&self) -> f64 {
        if self.adapting { self.adaptation.factor() } else { 1.0 }
    }

    /// Somebody set a rate: a ceiling from now on, whatever it was. What was in force and what was
    /// asked for, where that is news; what holds may be less, where the provider allows less.
    pub(super) fn set(
        &mut self,
        limit: LimitName,
        to: Option<PerMinute>,
        now: Moment,
    ) -> Option<FromTo> {
        let (rate, other) = match limit {
            LimitName::TokensPerMinute => (&mut self.tokens, &self.requests),
            _ => (&mut self.requests, &self.tokens),
        };
        let (in_force, before) = (rate.in_force(), rate.set());
        // What is known of the other rate stays, and it stays where it is.
        let alone = other.base(true).is_none();
        rate.set_to(to, self.adaptation.factor());
        if alone {
            self.start_over();
        } else {
            self.know();
        }
        let factor = self.adaptation.factor();
        let rate = match limit {
            LimitName::TokensPerMinute => &mut self.tokens,
            _ => &mut self.requests,
        };
        let moved = rate.settle(self.adapting, factor, now);
        (moved.is_some() || before != to).then_some((in_force, to))
    }

    /// Switches adaptation on or off.
    pub(super) fn adapt(&mut self, on: bool, now: Moment) -> Vec<Changed> {
        if self.adapting == on {
            return Vec::new();
        }
        self.adapting = on;
        self.start_over();
        let reason = if on { "adaptation switched on" } else { "adaptation switched off" };
        self.settle(LimitSetBy::Adaptation, now, |_| reason.to_owned())
    }

    /// Whether calls come back broken: then it is no sign of room that nobody gets a 429.
    pub(super) const fn breaks(&mut self, breaks: bool) {
        self.breaking = breaks;
    }

    /// What a reply's headers say of the quota. `sent_at`: when its request went out.
    pub(super) fn hear(&mut self, said: &QuotaSaid, sent_at: Moment, now: Moment) -> Vec<Changed> {
        if !self.adapting || self.said_at.is_some_and(|at| sent_at < at) {
            return Vec::new();
        }
        let requests = self.requests.hear(&said.requests);
        let tokens = self.tokens.hear(&said.tokens);
        let mut changes = Vec::new();
        if requests || tokens {
            self.said_at = Some(now);
            self.same_since = now;
            self.start_over();
            changes = self.settle(LimitSetBy::Header, now, |rate| {
                let is_news =
                    if rate.limit == LimitName::TokensPerMinute { tokens } else { requests };
                match rate.said().filter(|_| is_news) {
                    Some(said) => format!("the provider says {said} a minute"),
                    None => "up again: the provider states another limit".to_owned(),
                }
            });
        }
        if let Some(until) = self.used_up_by_others(said, sent_at, now) {
            self.pause.extend(until.since(now), now);
        }
        changes
    }

    /// Until when to wait where nothing is left of a limit and others have used it. Where our own
    /// requests have, their pace is the answer: a sliding log of 60 has nothing left after every
    /// other request that comes at the right pace.
    fn used_up_by_others(&self, said: &QuotaSaid, sent_at: Moment, now: Moment) -> Option<Moment> {
        let nothing_left = |window: &WindowSaid| window.remaining == Some(0);
        // The pace is of the last seconds: it tells nothing where there were none, or another limit.
        if !(nothing_left(&said.requests) || nothing_left(&said.tokens))
            || now.since(self.same_since) < Duration::from_secs(RECENT)
        {
            return None;
        }
        let (requests, tokens) = self.meter.read(now);
        [(said.requests, requests.now), (said.tokens, tokens.now)]
            .into_iter()
            .filter(|(window, ours)| {
                let by_others = |limit| *ours < USED_UP * f64::from(limit);
                nothing_left(window) && window.limit.is_some_and(by_others)
            })
            .filter_map(|(window, _)| Some(sent_at.plus(window.reset?.min(LONGEST_RESET))))
            .max()
    }

    /// A 429 of this kind, for a request sent at `sent_at` with so many tokens reserved. `random`
    /// is uniform in 0..1. Where there was no limit, one is made of what was let in so far.
    pub(super) fn limited(
        &mut self,
        (kind, retry_after): (FailureKind, Option<Duration>),
        (sent_at, reserved): (Moment, Tokens),
        random: f64,
        now: Moment,
    ) -> Vec<Changed> {
        self.adaptation.intake().correct(sent_at, 1, (reserved, Tokens(0)));
        self.meter.uncount(sent_at, reserved.0);
        if let Some(wait) = retry_after {
            self.pause.extend(pause::jittered(wait, random), now);
        }
        // One that was sent before the provider's last word is of a rate that is no more.
        if !self.adapting || self.said_at.is_some_and(|at| sent_at < at) {
            return Vec::new();
        }
        let guess = self.guess(reserved, now);
        let (unit, rate, guess) = match kind {
            FailureKind::RateLimitedTokens => (Unit::Tokens, &mut self.tokens, guess.1),
            _ => (Unit::Requests, &mut self.requests, guess.0),
        };
        let nobody_knew = rate.base(true).is_none();
        if nobody_knew {
            rate.find(guess, self.adaptation.factor());
            self.know();
        }
        if self.adaptation.is_discovering() {
            self.rebase();
        }
        let rate = match unit {
            Unit::Requests => &self.requests,
            Unit::Tokens => &self.tokens,
        };
        let Some(full) = rate.full() else { return Vec::new() };
        if !self.adaptation.limited(Denial { sent_at, unit, full }, now) {
            return Vec::new();
        }
        let factor = self.adaptation.factor();
        self.settle(LimitSetBy::Adaptation, now, |rate| {
            if nobody_knew && rate.is_found() {
                return format!("{kind}: a guess, by what was let in");
            }
            format!("{kind}: down to {:.0} % of the quota", factor * 100.0)
        })
    }

    /// Requests and tokens a minute, by what was let in during the last one. A few tell nothing:
    /// then it is no less than the usual start. The last request had so many tokens reserved.
    fn guess(&self, reserved: Tokens, now: Moment) -> (f64, f64) {
        let let_in = self.meter.over_a_minute(now);
        if self.meter.read(now).0.last_minute >= intake::LEAST {
            return let_in;
        }
        (let_in.0.max(START), let_in.1.max(START * reserved.0 as f64))
    }

    /// At least a second has passed since the last time.
    pub(super) fn second_passed(&mut self, now: Moment) -> Vec<Changed> {
        let since = std::mem::replace(&mut self.second_at, now);
        let span = now.since(since);
        let (requests, tokens) = (self.requests.taken(), self.tokens.taken());
        if !self.adapting || self.breaking || self.pause.until() > since {
            return Vec::new();
        }
        // Where requests are rare, one takes longer than this to become due.
        let is_due = self.ready_at().0.plus(span.mul_f64(1.0 - USED_UP)) < now;
        if requests == 0 && !is_due {
            return Vec::new();
        }
        // One more than were taken: the next may be just about to go.
        let one_more = tokens / requests.max(1);
        let used_up = requests > 0
            && (self.requests.is_used_up_by(requests + 1, span)
                || self.tokens.is_used_up_by(tokens.saturating_add(one_more), span));
        let second = Second { requests, used_up };
        if !self.adaptation.second_passed(second) {
            return Vec::new();
        }
        let reason = if self.adaptation.is_discovering() {
            "no 429 yet: looking for the quota"
        } else {
            "no 429 for a while: up again"
        };
        self.settle(LimitSetBy::Adaptation, now, |_| reason.to_owned())
    }

    /// Nothing that was learned so far holds for what is known now.
    fn start_over(&mut self) {
        self.adaptation = Adaptation::new(self.knowledge());
        self.requests.start_over();
        self.tokens.start_over();
    }

    /// What was learned so far holds, and more or less of the quota is known.
    fn know(&mut self) {
        let knowledge = self.knowledge();
        // Within a known quota, the factor is at most 1.
        if knowledge == Knowledge::Known && self.adaptation.factor() > 1.0 {
            self.rebase();
        }
        self.adaptation.know(knowledge);
    }

    /// The factor is 1 from now on, and what is in force is the same.
    fn rebase(&mut self) {
        let factor = self.adaptation.rebase();
        self.requests.rebase(factor, 1.0);
        self.tokens.rebase(factor, 1.0);
    }

    fn knowledge(&self) -> Knowledge {
        let known = [&self.requests, &self.tokens]
            .into_iter()
            .filter(|rate| rate.base(true).is_some())
            .all(Rate::is_known);
        if known { Knowledge::Known } else { Knowledge::Guessed }
    }

    fn settle(
        &mut self,
        set_by: LimitSetBy,
        now: Moment,
        reason: impl Fn(&Rate) -> String,
    ) -> Vec<Changed> {
        let factor = self.adaptation.factor();
        let adapting = self.adapting;
        [&mut self.requests, &mut self.tokens]
            .into_iter()
            .filter_map(|rate| {
                let (from, to) = rate.settle(adapting, factor, now)?;
                Some(Changed { limit: rate.limit, from, to, set_by, reason: reason(rate) })
            })
            .collect()
    }
}
