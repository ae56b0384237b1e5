use super::*;
use crate::{
    model::{AttemptTiming, FailureKind, PauseReason, Stage, StatusCounts, Usage},
    protocol::ReplayState,
};
use proptest::prelude::*;
use serde_json::json;

const START: UnixMillis = UnixMillis(1_700_000_000_000);

fn at(millis: i64) -> UnixMillis {
    UnixMillis(START.0 + millis)
}

fn picture(total: u32) -> Picture {
    let settings = json!({
        "base_url": "https://api.example.com/v1",
        "model": "some-model",
        "limits": { "slots": 4, "requests_per_minute": 600, "tokens_per_minute": null },
        "retry": { "attempts": 6, "total": { "secs": 600, "nanos": 0 } },
        "timeout": { "secs": 60, "nanos": 0 },
    });
    Picture::new("parking-7f3a", &settings, total, START)
}

fn header() -> RunHeader {
    RunHeader {
        run: "parking-7f3a".to_owned(),
        run_file: "parking-7f3a.voxpop".into(),
        survey: "parking".to_owned(),
        question: "Why?".to_owned(),
        support: "Support".to_owned(),
        started_at: START,
        pack: 1,
        live: true,
    }
}

fn playing() -> Replay {
    let speed = "20x".parse().unwrap();
    Replay { at: START, speed, state: ReplayState::Playing, left_out: None }
}

fn sent(persona: u32) -> Happening {
    let (persona, endpoint) = (PersonaIndex(persona), EndpointIndex(0));
    Happening::Interview(RecordedEvent::Sent { persona, endpoint })
}

fn came(persona: u32, failure: Option<FailureKind>) -> Happening {
    let usage = Usage { prompt_tokens: 80, completion_tokens: 20, cached_tokens: 0 };
    Happening::Interview(RecordedEvent::Came(Box::new(Attempt {
        persona: PersonaIndex(persona),
        stage: Stage::Answer,
        number: 1,
        endpoint: EndpointIndex(0),
        sent_at: START,
        timing: AttemptTiming { on_the_wire: Duration::from_secs(2), ..AttemptTiming::default() },
        status: Some(200),
        request_id: None,
        usage: failure.is_none().then_some(usage),
        failure: failure.map(|kind| Failure::new(kind, "no")),
        body: None,
        from_cache: false,
    })))
}

fn over(persona: u32, status: S) -> Happening {
    let failure = (status == S::Failed).then(|| Failure::new(FailureKind::Malformed, "no"));
    Happening::Interview(RecordedEvent::Over { persona: PersonaIndex(persona), status, failure })
}

fn stopped() -> Happening {
    Happening::Phase(RunPhase::Stopped { reason: StopReason::Asked })
}

fn statuses(picture: &Picture) -> Vec<S> {
    picture.state.statuses().0
}

#[test]
fn an_interview_is_shown_as_it_went() {
    let mut picture = picture(3);
    let failed = Some(FailureKind::ServerError);
    for (time, happening, status) in [
        (0, Happening::Phase(RunPhase::Running), S::Queued),
        (100, sent(1), S::InFlight),
        (2_100, came(1, failed), S::BackingOff),
        (3_000, sent(1), S::InFlight),
        // Done is what is on record.
        (5_000, came(1, None), S::InFlight),
        (5_010, over(1, S::Done), S::Done),
    ] {
        picture.pass(at(time));
        picture.take(at(time), happening);
        assert_eq!(picture.status(PersonaIndex(1)), status, "at {time}");
    }
    picture.pass(at(10_000));
    let meters = picture.meters(playing());
    let [endpoint] = &meters.endpoints[..] else { panic!("{meters:?}") };
    assert_eq!(
        (endpoint.name.as_str(), endpoint.model.as_str()),
        ("api.example.com", "some-model")
    );
    assert_eq!((endpoint.answered, endpoint.failed, endpoint.slots.held), (1, 1, 0));
    assert_eq!((endpoint.slots.target, endpoint.requests.last_minute), (4, 2));
    assert_eq!((meters.tokens.prompt, meters.latency.count), (80, 1));
    assert_eq!((meters.elapsed, meters.last_success), (Duration::from_secs(10), Some(at(5_000))));
    assert_eq!(meters.failures[0].kind, FailureKind::ServerError);
    assert_eq!(picture.history.last.len(), 10);
    let failures = |sample: &RateSample| sample.failures;
    assert_eq!(picture.history.last.iter().map(failures).sum::<u32>(), 1);
    assert_eq!(picture.history.last[2].failures, 1, "in the third second");
    assert_eq!(picture.history.last[3].in_flight, 1);
}

#[test]
fn a_stop_and_a_kill_put_back_who_was_being_asked() {
    for end in [stopped(), Happening::Phase(RunPhase::Running)] {
        let mut picture = picture(4);
        picture.take(at(0), Happening::Phase(RunPhase::Running));
        picture.take(at(1), sent(0));
        picture.take(at(1), sent(1));
        picture.take(at(2), came(1, Some(FailureKind::Timeout)));
        picture.take(at(3), over(2, S::Done));
        picture.take(at(4), end);
        assert_eq!(statuses(&picture), [S::Queued, S::Queued, S::Done, S::Queued]);
        assert_eq!(picture.meters(playing()).endpoints[0].slots.held, 0);
    }
    // A pause does not.
    let mut picture = picture(1);
    picture.take(at(0), sent(0));
    picture.take(at(1), Happening::Phase(RunPhase::Paused { reason: PauseReason::User }));
    picture.take(at(2), Happening::Phase(RunPhase::Running));
    assert_eq!(statuses(&picture), [S::InFlight]);
}

#[test]
fn the_night_between_a_kill_and_its_resume_is_no_time_of_the_run() {
    let mut picture = picture(2);
    for (time, happening) in [
        (0, Happening::Phase(RunPhase::Running)),
        (100, sent(0)),
        (2_000, came(0, None)),
        // Killed, and resumed after ten hours.
        (36_000_000, Happening::Phase(RunPhase::Running)),
        (36_001_000, sent(1)),
    ] {
        picture.pass(at(time));
        picture.take(at(time), happening);
    }
    assert_eq!(picture.meters(playing()).elapsed, Duration::from_secs(3));
}

/// The file has only the last end of an interview that was asked again.
#[test]
fn who_was_asked_again_after_the_end_had_failed() {
    let mut picture = picture(2);
    picture.take(at(0), sent(0));
    picture.take(at(1), came(0, Some(FailureKind::Malformed)));
    picture.take(at(2), over(1, S::Done));
    picture.take(at(3), Happening::Phase(RunPhase::Finished));
    assert_eq!(statuses(&picture), [S::Failed, S::Done]);
    picture.pass(at(3_600_000));
    picture.take(at(3_600_000), Happening::Phase(RunPhase::Running));
    picture.take(at(3_600_001), sent(0));
    picture.take(at(3_600_002), over(0, S::Done));
    assert_eq!(statuses(&picture), [S::Done, S::Done]);
    let meters = picture.meters(playing());
    assert!(meters.elapsed < Duration::from_secs(1), "it was over meanwhile: {meters:?}");
}

#[test]
fn the_limits_are_those_of_the_moment() {
    let mut picture = picture(1);
    let change = LimitChange {
        at: at(10),
        endpoint: EndpointIndex(0),
        limit: crate::model::LimitName::Slots,
        from: Some(4),
        to: Some(7),
        set_by: crate::model::LimitSetBy::User,
        reason: "set by hand".to_owned(),
    };
    assert_eq!(picture.meters(playing()).endpoints[0].slots.target, 4);
    picture.take(at(10), Happening::Limit(change.clone()));
    assert_eq!(picture.meters(playing()).endpoints[0].slots.target, 7);
    assert_eq!(picture.delta(playing()).changes, [change]);
    assert_eq!(picture.delta(playing()).changes, []);
}

#[test]
fn settings_that_cannot_be_read_leave_the_rest_of_it() {
    let mut picture = Picture::new("x", &json!("nonsense"), 1, START);
    picture.take(at(0), sent(0));
    picture.pass(at(70_000));
    picture.take(at(70_000), over(0, S::Refused));
    assert_eq!(statuses(&picture), [S::Refused]);
    assert_eq!(picture.meters(playing()).endpoints, []);
}

/// A clock that was set wrong for a while must not be played second by second.
#[test]
fn a_leap_of_years_is_no_work() {
    let mut picture = picture(1);
    picture.pass(UnixMillis(START.0 + 1000 * 3600 * 24 * 365 * 1000));
    assert!(picture.history.last.len() <= HISTORY_SECONDS);
    picture.pass(UnixMillis(i64::MAX - 10_000));
    picture.pass(START);
}

fn happenings() -> impl Strategy<Value = Vec<(i64, Happening)>> {
    let happening = (0_u32..12, 0..8).prop_map(|(persona, what)| match what {
        0 | 1 => sent(persona),
        2 => came(persona, None),
        3 => came(persona, Some(FailureKind::Timeout)),
        4 => over(persona, S::Done),
        5 => over(persona, S::Failed),
        6 => stopped(),
        _ => Happening::Phase(RunPhase::Running),
    });
    proptest::collection::vec((0_i64..3_000, happening), 0..60)
}

proptest! {
    #[test]
    fn a_snapshot_and_the_deltas_after_it_are_the_picture(
        happenings in happenings(),
        joins in 0_usize..60,
    ) {
        let mut picture = picture(10);
        let mut shown = picture.snapshot(&header(), playing());
        let mut now = 0;
        for (n, (later, happening)) in happenings.into_iter().enumerate() {
            now += later;
            picture.pass(at(now));
            picture.take(at(now), happening);
            if n == joins {
                shown = picture.snapshot(&header(), playing());
            } else {
                shown.apply(picture.delta(playing()));
            }
            prop_assert_eq!(
                picture.state.counts(),
                &StatusCounts::of(&picture.state.statuses().0)
            );
        }
        let end = vec![S::Done; 10];
        picture.end(&end, RunPhase::Finished, None, None);
        shown.apply(picture.delta(playing()));
        prop_assert_eq!(&shown.statuses.0, &end);
        prop_assert_eq!(shown, picture.snapshot(&header(), playing()));
    }
}
