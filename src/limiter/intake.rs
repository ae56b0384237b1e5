//! What a provider lets in from one 429 to the next. At both it had nothing left, so that what it
//! let in between is what it has: this tells the size of a quota that nobody states, be it a
//! bucket, a window or a log. Where it forfeits what is not used at once, this tells less.

use super::clock::Moment;
use crate::model::Tokens;

/// Fewer requests than this tell nothing: one more or less would be too large a part of them.
pub(super) const LEAST: u64 = 20;

/// Which of the two rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Requests,
    Tokens,
}

/// What was let in since a 429.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: Moment,
    requests: u64,
    tokens: u64,
}

/// The last two spans that began with a 429.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Intake {
    earlier: Option<Span>,
    current: Option<Span>,
}

impl Span {
    const fn begin(since: Moment) -> Self {
        Self { since, requests: 0, tokens: 0 }
    }

    fn with(self, later: Self) -> Self {
        Self {
            since: self.since,
            requests: self.requests + later.requests,
            tokens: self.tokens.saturating_add(later.tokens),
        }
    }

    /// Units a second up to `until`, where the span is long enough to tell.
    fn per_second(self, unit: Unit, until: Moment) -> Option<f64> {
        let seconds = until.since(self.since).as_secs_f64();
        let units = match unit {
            Unit::Requests => self.requests,
            Unit::Tokens => self.tokens,
        };
        (self.requests >= LEAST && seconds > 0.0).then(|| units as f64 / seconds)
    }
}

impl Intake {
    /// A 429 begins a new span.
    pub(super) fn begin(&mut self, now: Moment) {
        self.earlier = self.current.replace(Span::begin(now));
    }

    /// Not all that there was was wanted: what was let in tells nothing.
    pub(super) const fn forget(&mut self) {
        *self = Self { earlier: None, current: None };
    }

    /// A request was sent, with so many tokens.
    pub(super) const fn count(&mut self, tokens: Tokens) {
        if let Some(span) = &mut self.current {
            span.requests += 1;
            span.tokens = span.tokens.saturating_add(tokens.0);
        }
    }

    /// Of what was sent at `at`, so many requests were not let in, and of the tokens counted for
    /// it, so many were used.
    pub(super) fn correct(
        &mut self,
        at: Moment,
        not_let_in: u64,
        (counted, used): (Tokens, Tokens),
    ) {
        let mut spans = [&mut self.current, &mut self.earlier].into_iter().flatten();
        if let Some(span) = spans.find(|span| span.since <= at) {
            span.requests = span.requests.saturating_sub(not_let_in);
            span.tokens = span.tokens.saturating_add(used.0).saturating_sub(counted.0);
        }
    }

    /// What is let in a second: in the current span where it is long enough to tell, else in both.
    pub(super) fn per_second(&self, unit: Unit, now: Moment) -> Option<f64> {
        let current = self.current?;
        current.per_second(unit, now).or_else(|| self.earlier?.with(current).per_second(unit, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Moment {
        Moment::default().plus(Duration::from_secs(seconds))
    }

    fn count(intake: &mut Intake, requests: u32) {
        for _ in 0..requests {
            intake.count(Tokens(50));
        }
    }

    #[test]
    fn it_tells_what_was_let_in_since_a_429_and_nothing_before_one() {
        let mut intake = Intake::default();
        count(&mut intake, 100);
        assert_eq!(intake.per_second(Unit::Requests, at(10)), None);
        intake.begin(at(10));
        count(&mut intake, 19);
        assert_eq!(intake.per_second(Unit::Requests, at(20)), None, "too few to tell");
        count(&mut intake, 1);
        assert_eq!(intake.per_second(Unit::Requests, at(20)), Some(2.0));
        assert_eq!(intake.per_second(Unit::Tokens, at(20)), Some(100.0));
    }

    #[test]
    fn a_span_that_is_too_short_is_told_with_the_one_before_it() {
        let mut intake = Intake::default();
        intake.begin(at(0));
        count(&mut intake, 60);
        intake.begin(at(20));
        assert_eq!(intake.per_second(Unit::Requests, at(20)), Some(3.0));
        count(&mut intake, 4);
        assert_eq!(intake.per_second(Unit::Requests, at(32)), Some(2.0));
        count(&mut intake, 16);
        assert_eq!(intake.per_second(Unit::Requests, at(30)), Some(2.0), "long enough by itself");
        intake.forget();
        count(&mut intake, 100);
        assert_eq!(intake.per_second(Unit::Requests, at(40)), None);
    }

    #[test]
    fn what_was_counted_wrong_is_put_right_in_its_span() {
        let mut intake = Intake::default();
        intake.begin(at(0));
        count(&mut intake, 30);
        intake.begin(at(10));
        count(&mut intake, 30);
        intake.correct(at(9), 8, (Tokens(400), Tokens(0)));
        intake.correct(at(10), 5, (Tokens(1_500), Tokens(500)));
        assert_eq!(intake.per_second(Unit::Requests, at(20)), Some(2.5));
        assert_eq!(intake.per_second(Unit::Tokens, at(20)), Some(50.0));
        let both = intake.earlier.unwrap().with(intake.current.unwrap());
        assert_eq!((both.requests, both.tokens), (47, 1_600));
    }
}
