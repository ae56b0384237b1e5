//! A quota: the two rates that one endpoint, or a group of endpoints of one project, may use.
//!
//! What is in force is worked out from three things, the smallest of which holds: what somebody
//! set (a ceiling), what the provider says in its headers, and what adaptation has made of it. A
//! preset or a default is a guess that the provider's word replaces.

use super::{
    adaptation::{Adaptation, Knowledge},
    bucket::{Bucket, Pace},
    clock::Moment,
    line::Constraint,
};
use crate::model::{
    FailureKind, Guessed, LimitName, LimitSetBy, Limits, PerMinute, QuotaSaid, Tokens, UnixMillis,
    WindowSaid,
};
use std::time::Duration;

/// The share of a quota that is asked for while limits adapt: replies and clocks jitter, and a
/// sliding window of 600 that gets exactly 600 a minute says no now and then.
const MARGIN: f64 = 0.99;

/// A Retry-After is a floor: this much of it is added at random at most, so that those who were
/// told the same do not come back together.
const JITTER: f64 = 0.1;

/// Where nothing is left, the reset header tells when all of it is there again, which for a token
/// bucket is far too long to wait. A 429 that comes after this tells the exact time.
const LONGEST_RESET: Duration = Duration::from_secs(1);

/// One of the two rates of a quota.
struct Rate {
    limit: LimitName,
    /// As it was set: a ceiling, or a guess.
    set: Option<PerMinute>,
    guessed: bool,
    /// The provider's word.
    said: Option<PerMinute>,
    in_force: Option<PerMinute>,
    bucket: Option<Bucket>,
}

/// The end of the last pause, past or to come.
#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    until: Moment,
    /// The same by the wall clock, fixed when the pause was set so that it reads the same twice.
    wall: UnixMillis,
}

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
    /// A header of a request sent before this is older than what is known.
    said_at: Option<Moment>,
    /// Whether the rates held a request back since the last second passed.
    held_back: bool,
}

impl Rate {
    fn new(limit: LimitName, set: Option<PerMinute>, guessed: bool, now: Moment) -> Self {
        let bucket = set.map(|rate| Bucket::new(rate, now));
        Self { limit, set, guessed, said: None, in_force: set, bucket }
    }

    /// What would hold without adaptation.
    fn base(&self, adapting: bool) -> Option<PerMinute> {
        match (self.set, self.said) {
            (set, _) if !adapting => set,
            (Some(set), Some(said)) if !self.guessed => Some(set.min(said)),
            (set, said) => said.or(set),
        }
    }

    /// Whether the size of the quota is known, from whomever.
    fn is_known(&self) -> bool {
        self.said.is_some() || !self.guessed
    }

    /// Brings what is in force into line with what is known. The change, where there is one.
    fn settle(
        &mut self,
        adapting: bool,
        factor: f64,
        now: Moment,
    ) -> Option<(Option<PerMinute>, Option<PerMinute>)> {
        let base = self.base(adapting);
        let factor = if adapting { factor } else { 1.0 };
        let share = if adapting { factor * MARGIN } else { 1.0 };
        match (base, &mut self.bucket) {
            (Some(base), Some(bucket)) => bucket.set_pace(Pace::share_of(base, share), now),
            (Some(base), bucket) => *bucket = Some(Bucket::new(Pace::share_of(base, share), now)),
            (None, bucket) => *bucket = None,
        }
        #[expect(clippy::cast_possible_truncation, reason = "clamped to what a rate can be")]
        let to = base.map(|base| {
            PerMinute::clamped((f64::from(base.get()) * factor).round().max(1.0) as i64)
        });
        let from = std::mem::replace(&mut self.in_force, to);
        (from != to).then_some((from, to))
    }

    fn ready_at(&self) -> Moment {
        self.bucket.as_ref().map_or(Moment::default(), Bucket::ready_at)
    }

    /// The provider's word. True where it is news.
    fn hear(&mut self, said: &WindowSaid) -> bool {
        // A limit of 0 would stop everything for ever; some servers send it for "no limit".
        let Some(limit) = said.limit.filter(|&limit| limit > 0) else { return false };
        let limit = Some(PerMinute::clamped(i64::from(limit)));
        std::mem::replace(&mut self.said, limit) != limit
    }
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
            said_at: None,
            held_back: false,
        }
    }

    /// When the next request may go as far as rates and pause are concerned, and what holds it
    /// back until then.
    pub(super) fn ready_at(&self) -> (Moment, Constraint) {
        [
            (self.pause.until, Constraint::Pause),
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
        if self.pause.until > now {
            return false;
        }
        if self.tokens.bucket.as_mut().is_some_and(|bucket| !bucket.take(tokens.0, now)) {
            return false;
        }
        if self.requests.bucket.as_mut().is_some_and(|bucket| !bucket.take(1, now)) {
            if let Some(bucket) = &mut self.tokens.bucket {
                bucket.refund(tokens.0, now);
            }
            return false;
        }
        true
    }

    /// A request is held back by the rates.
    pub(super) const fn hold_back(&mut self) {
        self.held_back = true;
    }

    /// Gives back what was taken at `at` and not used. True where another may go earlier for it.
    pub(super) fn give_back(
        &mut self,
        at: Moment,
        requests: u64,
        (reserved, used): (Tokens, Tokens),
        now: Moment,
    ) -> bool {
        let mut earlier = false;
        if let Some(bucket) = self.requests.bucket.as_mut().filter(|bucket| bucket.counted(at)) {
            bucket.refund(requests, now);
            earlier |= requests > 0;
        }
        if let Some(bucket) = self.tokens.bucket.as_mut().filter(|bucket| bucket.counted(at)) {
            bucket.refund(reserved.0.saturating_sub(used.0), now);
            bucket.charge(used.0.saturating_sub(reserved.0));
            earlier |= used < reserved;
        }
        earlier
    }

    /// Lets nothing go for `wait` from now on. A shorter pause than the one that holds changes
    /// nothing.
    pub(super) fn pause(&mut self, wait: Duration, now: Moment) {
        let until = now.plus(wait);
        if until > self.pause.until {
            let millis = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let wall = UnixMillis(UnixMillis::now().0.saturating_add(millis));
            self.pause = Pause { until, wall };
        }
    }

    /// The end of the pause, while there is one.
    pub(super) fn paused_until(&self, now: Moment) -> Option<UnixMillis> {
        (self.pause.until > now).then_some(self.pause.wall)
    }

    /// What is in force: requests and tokens a minute.
    pub(super) const fn in_force(&self) -> (Option<PerMinute>, Option<PerMinute>) {
        (self.requests.in_force, self.tokens.in_force)
    }

    /// The rates as they were set: requests and tokens a minute.
    pub(super) const fn set_rates(&self) -> (Option<PerMinute>, Option<PerMinute>) {
        (self.requests.set, self.tokens.set)
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
    ) -> Option<(Option<PerMinute>, Option<PerMinute>)> {
        let rate = match limit {
            LimitName::TokensPerMinute => &mut self.tokens,
            _ => &mut self.requests,
        };
        let (in_force, before) = (rate.in_force, std::mem::replace(&mut rate.set, to));
        rate.guessed = false;
        self.start_over();
        let factor = self.adaptation.factor();
        let [requests, tokens] = [&mut self.requests, &mut self.tokens]
            .map(|rate| rate.settle(self.adapting, factor, now));
        let moved = if limit == LimitName::TokensPerMinute { tokens } else { requests };
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
        self.settle(LimitSetBy::User, now, |_| reason.to_owned())
    }

    /// What a reply's headers say of the quota. `sent_at`: when its request went out.
    pub(super) fn hear(&mut self, said: &QuotaSaid, sent_at: Moment, now: Moment) -> Vec<Changed> {
        if !self.adapting || self.said_at.is_some_and(|at| sent_at < at) {
            return Vec::new();
        }
        let news = [self.requests.hear(&said.requests), self.tokens.hear(&said.tokens)];
        let mut changes = Vec::new();
        if news.contains(&true) {
            self.said_at = Some(now);
            self.start_over();
            changes = self.settle(LimitSetBy::Header, now, |rate| {
                let said = rate.said.map_or_else(|| "no limit".to_owned(), |n| n.to_string());
                format!("the provider says {said} a minute")
            });
        }
        let wait = [(&self.requests, said.requests), (&self.tokens, said.tokens)]
            .into_iter()
            .filter(|(_, window)| window.remaining == Some(0))
            .filter_map(|(rate, window)| {
                let minute = Duration::from_secs(60);
                let cell = rate.in_force.map_or(Duration::ZERO, |rate| minute / rate.get());
                Some(window.reset?.min(cell.max(LONGEST_RESET)))
            })
            .max();
        if let Some(wait) = wait {
            self.pause(wait, now);
        }
        changes
    }

    /// A 429 of this kind, for a request sent at `sent_at`. `random` is uniform in 0..1, `pace`
    /// what was used a minute, requests and tokens: where there was no limit, one is made of it.
    pub(super) fn limited(
        &mut self,
        (kind, retry_after): (FailureKind, Option<Duration>),
        pace: (f64, f64),
        sent_at: Moment,
        random: f64,
        now: Moment,
    ) -> Vec<Changed> {
        if let Some(wait) = retry_after {
            self.pause(wait.saturating_add(wait.mul_f64(JITTER * random)), now);
        }
        if !self.adapting {
            return Vec::new();
        }
        let (rate, pace) = match kind {
            FailureKind::RateLimitedTokens => (&mut self.tokens, pace.1),
            _ => (&mut self.requests, pace.0),
        };
        if rate.base(true).is_none() {
            #[expect(clippy::cast_possible_truncation, reason = "clamped to what a rate can be")]
            let pace = pace.round() as i64;
            rate.set = Some(PerMinute::clamped(pace));
            rate.guessed = true;
            self.start_over();
        }
        if self.adaptation.is_discovering() {
            let found = self.adaptation.rebase();
            for rate in [&mut self.requests, &mut self.tokens] {
                rate.set = rate.set.map(|set| {
                    #[expect(clippy::cast_possible_truncation, reason = "clamped")]
                    PerMinute::clamped((f64::from(set.get()) * found).round() as i64)
                });
            }
        }
        if !self.adaptation.limited(sent_at, now) {
            return Vec::new();
        }
        let factor = self.adaptation.factor();
        self.settle(LimitSetBy::Adaptation, now, |_| {
            format!("{kind}: down to {:.0} % of the quota", factor * 100.0)
        })
    }

    /// A second has passed.
    pub(super) fn second_passed(&mut self, now: Moment) -> Vec<Changed> {
        let held_back = std::mem::take(&mut self.held_back);
        if !self.adapting || !self.adaptation.second_passed(held_back, now) {
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
        let limited = |rate: &Rate| rate.base(true).is_some();
        let known = [&self.requests, &self.tokens]
            .into_iter()
            .filter(|rate| limited(rate))
            .all(Rate::is_known);
        let knowledge = if known { Knowledge::Known } else { Knowledge::Guessed };
        self.adaptation = Adaptation::new(knowledge);
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
