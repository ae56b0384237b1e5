//! Tables: what is measured, what binds, and the sentence about it.

use super::*;
use crate::{
    model::*,
    protocol::{
        CallSize, EndpointMeters, FailureTally, LatencySummary, MoneyMeter, RateMeter, SlotMeter,
    },
};
use InterviewStatus as S;
use std::time::Duration;

const NOW: UnixMillis = UnixMillis(1_760_011_400_000);

fn later(seconds: i64) -> UnixMillis {
    UnixMillis(NOW.0 + seconds * 1_000)
}

fn rate(now: f64, limit: Option<u32>) -> RateMeter {
    let limit = limit.map(|limit| PerMinute::clamped(i64::from(limit)));
    RateMeter { now, limit, ..RateMeter::default() }
}

/// 20 slots, 500 requests/min, 200,000 tokens/min.
fn endpoint(name: &str, slots: (u32, u32), requests: f64, tokens: f64) -> EndpointMeters {
    EndpointMeters {
        name: name.to_owned(),
        model: "gpt-4o-mini".to_owned(),
        slots: SlotMeter { held: slots.0, target: 20, waiting: slots.1, configured: None },
        requests: rate(requests, Some(500)),
        tokens: rate(tokens, Some(200_000)),
        paused_until: None,
        group: None,
        service: Service::InService,
        answered: 0,
        failed: 0,
        adaptation: 1.0,
        first_byte: None,
    }
}

/// A run that can be looked at.
struct Run {
    phase: RunPhase,
    statuses: Vec<S>,
    meters: Meters,
}

impl Run {
    fn new(endpoints: Vec<EndpointMeters>, statuses: &[S]) -> Self {
        let meters = Meters {
            elapsed: Duration::from_secs(300),
            endpoints,
            latency: LatencySummary {
                count: 900,
                p50: Duration::from_millis(1_200),
                ..Default::default()
            },
            calls: CallSize { prompt: 75.0, output: 233.0, output_cap: 600, cap_is_charged: true },
            adapting: true,
            ..Meters::default()
        };
        Self { phase: RunPhase::Running, statuses: statuses.to_vec(), meters }
    }

    fn look<T>(&self, look: impl FnOnce(Situation<'_>) -> T) -> T {
        let counts = StatusCounts::of(&self.statuses);
        look(Situation { phase: &self.phase, counts: &counts, meters: &self.meters, now: NOW })
    }

    fn binds(&self) -> Binds {
        self.look(|situation| situation.binds())
    }

    /// The sentence about what binds.
    fn says(&self) -> Advice {
        self.look(|situation| situation.advice(situation.binds()))
    }

    fn failed(mut self, kind: FailureKind) -> Self {
        self.meters.failures.push(FailureTally {
            kind,
            attempts: 1,
            personas: 0,
            last_at: NOW,
            last_persona: PersonaIndex(0),
            last_message: "in the provider's words".to_owned(),
        });
        self
    }
}

/// One endpoint with these numbers.
fn run(slots: (u32, u32), requests: f64, tokens: f64, statuses: &[S]) -> Run {
    Run::new(vec![endpoint("openai", slots, requests, tokens)], statuses)
}

const BUSY: [S; 2] = [S::InFlight, S::Queued];

#[test]
fn what_binds_is_read_off_the_meters() {
    let backing = [S::BackingOff, S::BackingOff, S::InFlight, S::Queued];
    let limit = Binds::Limit;
    for (slots, requests, tokens, statuses, expected) in [
        ((20, 3), 100.0, 10_000.0, &BUSY[..], limit(LimitName::Slots)),
        ((25, 3), 100.0, 10_000.0, &BUSY, limit(LimitName::Slots)),
        ((20, 3), 499.0, 10_000.0, &BUSY, limit(LimitName::Slots)),
        ((11, 3), 480.0, 10_000.0, &BUSY, limit(LimitName::RequestsPerMinute)),
        ((11, 3), 412.0, 193_000.0, &BUSY, limit(LimitName::TokensPerMinute)),
        ((11, 3), 480.0, 198_000.0, &BUSY, limit(LimitName::TokensPerMinute)),
        ((11, 3), 499.0, 193_000.0, &BUSY, limit(LimitName::RequestsPerMinute)),
        (
            (4, 1),
            100.0,
            10_000.0,
            &[S::WaitingForTokens, S::Queued],
            limit(LimitName::TokensPerMinute),
        ),
        ((4, 2), 100.0, 199_000.0, &[S::WaitingForRequests], limit(LimitName::TokensPerMinute)),
        ((1, 0), 100.0, 10_000.0, &backing, Binds::BackOff),
        ((1, 0), 499.0, 10_000.0, &[S::InFlight, S::Done], Binds::NothingLeft),
        ((0, 0), 100.0, 10_000.0, &[S::BackingOff, S::Done], Binds::BackOff),
        ((0, 0), 100.0, 10_000.0, &[S::Done, S::Failed], Binds::Idle),
        ((20, 0), 100.0, 10_000.0, &BUSY, Binds::Latency),
    ] {
        let run = run(slots, requests, tokens, statuses);
        assert_eq!(run.binds(), expected, "{slots:?} {requests} {tokens} {statuses:?}");
        assert_eq!(run.says().text.is_empty(), expected == Binds::Idle);
    }
    let mut paused = run((20, 3), 0.0, 0.0, &BUSY);
    paused.phase = RunPhase::Paused { reason: PauseReason::User };
    assert_eq!(paused.binds(), Binds::Idle);
}

#[test]
fn the_provider_binds_only_while_no_endpoint_may_be_asked() {
    let mut told = run((0, 3), 0.0, 0.0, &[S::Queued]);
    told.meters.endpoints[0].paused_until = Some(later(12));
    assert_eq!(told.binds(), Binds::ToldToWait(later(12)));
    assert_eq!(told.says().text, "the provider told us to wait 00:12: nothing to do");
    told.meters.endpoints.push(endpoint("azure", (0, 3), 0.0, 0.0));
    assert_ne!(told.binds(), Binds::ToldToWait(later(12)));
    // One that is out of service is no other way.
    let failure = Failure::new(FailureKind::KeyRefused, "no such key");
    told.meters.endpoints[1].service = Service::OutOfService { failure };
    assert_eq!(told.binds(), Binds::ToldToWait(later(12)));
    told.meters.endpoints[0].paused_until = Some(later(-1));
    assert_eq!(told.binds(), Binds::Latency);
}

#[test]
fn slots_are_reckoned_with_littles_law() {
    // 294 a minute with 20 slots: a call holds its slot for 4.1 s, and 500 a minute want 34.
    let slots = run((20, 5), 294.0, 40_000.0, &BUSY);
    let words = "slots bind: 20 of 20; about 34 would use all of 500 requests/min";
    assert_eq!(slots.says(), Advice { text: words.to_owned(), remedy: Some(Remedy::MoreSlots) });
    // Tokens are the tighter quota: 200,000 of them are 400 such calls.
    let tokens = run((20, 5), 200.0, 100_000.0, &BUSY);
    assert_eq!(
        tokens.says().text,
        "slots bind: 20 of 20; about 40 would use all of 200,000 tokens/min"
    );
    // At the start of a run the rates say nothing yet: 500 a minute of 1.2 s each.
    let mut early = run((20, 5), 1_200.0, 40_000.0, &BUSY);
    early.meters.elapsed = Duration::from_secs(1);
    early.meters.endpoints[0].slots.target = 5;
    early.meters.endpoints[0].slots.held = 5;
    early.meters.endpoints[0].requests.now = 300.0;
    assert_eq!(early.says().text, "slots bind: 5 of 5; about 10 would use all of 500 requests/min");
    early.meters.latency = LatencySummary::default();
    assert_eq!(early.says().text, "slots bind: 5 of 5, 5 calls wait for one");

    let nearly = run((20, 5), 490.0, 40_000.0, &BUSY);
    assert_eq!(
        nearly.says(),
        Advice {
            text: "slots bind: 20 of 20, and requests/min nearly (98 %): more hardly help"
                .to_owned(),
            remedy: None
        }
    );
    let mut unlimited = run((20, 5), 294.0, 40_000.0, &BUSY);
    unlimited.meters.endpoints[0].requests.limit = None;
    unlimited.meters.endpoints[0].tokens.limit = None;
    assert_eq!(
        unlimited.says().text,
        "slots bind: 20 of 20, and no rate is limited: more help until answers get slower"
    );
    let mut cut = run((20, 5), 294.0, 40_000.0, &BUSY);
    cut.meters.endpoints[0].slots.configured = Some(50);
    assert_eq!(
        cut.says(),
        Advice {
            text:
                "slots bind: 20 of 20, held below the 50 set by adaptation: more would only wait \
                   at the provider"
                    .to_owned(),
            remedy: None
        }
    );
}

#[test]
fn a_smaller_call_is_proposed_where_it_helps_and_with_what_it_gives() {
    let calls = |prompt, output, output_cap, cap_is_charged| CallSize {
        prompt,
        output,
        output_cap,
        cap_is_charged,
    };
    let head = "tokens/min binds at 97 %: more slots will not help; ";
    for (calls, requests, expected) in [
        // The cap is charged: 75 + 600 tokens a call, and with a cap of 300 it is 375.
        (calls(75.0, 233.0, 600, true), 250.0, "an output cap of 300 would give about 1.8x"),
        (calls(75.0, 0.0, 600, true), 250.0, "an output cap of 300 would give about 1.8x"),
        // Requests/min would bind before that.
        (calls(75.0, 233.0, 600, true), 400.0, "an output cap of 300 would give about 1.2x"),
        (calls(75.0, 233.0, 600, true), 474.0, "shorter prompts and answers would"),
        // The cap is tight, or there is nothing to save under it: the prompt is left.
        (
            calls(900.0, 233.0, 300, true),
            250.0,
            "a prompt half as long (now 900 tokens) would give about 1.6x",
        ),
        (
            calls(900.0, 500.0, 600, true),
            250.0,
            "a prompt half as long (now 900 tokens) would give about 1.4x",
        ),
        // What was used is charged: a cap above the mean saves nothing, and one below it cuts
        // answers off.
        (
            calls(611.0, 233.0, 600, false),
            250.0,
            "a prompt half as long (now 611 tokens) would give about 1.6x",
        ),
        (
            calls(100.0, 500.0, 600, false),
            250.0,
            "answers half as long (now 500 tokens) would give about 1.7x",
        ),
        (calls(0.0, 0.0, 0, false), 250.0, "shorter prompts and answers would"),
        (calls(f64::NAN, 1.0, 600, true), 250.0, "shorter prompts and answers would"),
    ] {
        let mut run = run((11, 3), requests, 194_000.0, &BUSY);
        run.meters.calls = calls;
        let expected =
            Advice { text: format!("{head}{expected}"), remedy: Some(Remedy::MoreTokens) };
        assert_eq!(run.says(), expected, "{calls:?}");
    }
}

#[test]
fn a_limit_that_was_found_out_is_not_called_set() {
    let mut run = run((11, 3), 485.0, 10_000.0, &BUSY);
    run.meters.endpoints[0].requests.found = true;
    assert_eq!(run.meters.endpoints[0].requests.configured(), None);
    let text = "requests/min binds at 97 %: adaptation found 500 by what was let in, and tries \
                for more by itself";
    assert_eq!(run.says(), Advice { text: text.to_owned(), remedy: None });
}

#[test]
fn what_keeps_a_limit_down_is_named() {
    let requests = |change: &dyn Fn(&mut Meters)| {
        let mut run = run((11, 3), 485.0, 10_000.0, &BUSY);
        run.meters.endpoints[0].requests.configured = Some(PerMinute::clamped(800));
        change(&mut run.meters);
        run.says()
    };
    let advice = |text: &str, remedy| Advice { text: text.to_owned(), remedy };
    assert_eq!(
        requests(&|meters| meters.endpoints[0].requests.configured = None),
        advice(
            "requests/min binds at 97 %: more slots will not help; a higher plan, a key of \
             another project or another endpoint would",
            Some(Remedy::MoreRequests)
        )
    );
    assert_eq!(
        requests(&|meters| meters.endpoints[0].adaptation = 0.6),
        advice(
            "requests/min binds at 97 %: adaptation holds it at 500 of the 800 set, and raises it \
             again by itself",
            None
        )
    );
    assert_eq!(
        requests(&|_| {}),
        advice(
            "requests/min binds at 97 %: the provider allows 500, though 800 are set; a higher \
             plan or another endpoint would help",
            None
        )
    );
    let failure = Failure::new(FailureKind::KeyRefused, "no such key");
    assert_eq!(
        requests(&|meters| {
            let mut azure = meters.endpoints[0].clone();
            azure.name = "azure".to_owned();
            azure.requests.now = 0.0;
            azure.slots.held = 11;
            azure.service = Service::OutOfService { failure: failure.clone() };
            meters.endpoints.push(azure);
        }),
        advice(
            "requests/min binds at 97 %: 500 of the 1,600 set, since azure serves nobody now",
            None
        )
    );
}

#[test]
fn backing_off_is_told_with_its_failure_and_what_stops_it() {
    let statuses = [S::BackingOff, S::BackingOff, S::InFlight, S::Queued];
    let quiet = || run((1, 0), 100.0, 10_000.0, &statuses);
    let mut fixed = quiet().failed(FailureKind::RateLimitedTokens);
    fixed.meters.adapting = false;
    for (run, text, remedy) in [
        (quiet(), "2 personas back off after failures", None),
        (
            quiet().failed(FailureKind::RateLimitedTokens),
            "2 personas back off, last failure 429 tokens: adaptation lowers the rate until it fits",
            None,
        ),
        (
            fixed,
            "2 personas back off, last failure 429 tokens: lower limits would fit",
            Some(Remedy::Adapt),
        ),
        (
            quiet().failed(FailureKind::Overloaded),
            "2 personas back off, last failure overloaded: fewer slots would relieve the provider",
            Some(Remedy::FewerSlots),
        ),
        (
            quiet().failed(FailureKind::Connection),
            "2 personas back off, last failure connection: look at the network on the way to \
             the endpoint",
            None,
        ),
    ] {
        assert_eq!(run.says(), Advice { text: text.to_owned(), remedy });
    }
    let mut cooling = quiet();
    let failure = Failure::new(FailureKind::Timeout, "no reply within 60 s");
    cooling.meters.endpoints[0].service = Service::CoolingDown { until: later(9), failure };
    assert_eq!(cooling.binds(), Binds::BackOff);
    assert_eq!(cooling.says().text, "no endpoint serves: openai is asked again in 00:09 (timeout)");
}

#[test]
fn the_rest_of_the_situations_have_their_sentence() {
    let last = run((2, 0), 10.0, 1_000.0, &[S::InFlight, S::InFlight, S::Done]);
    assert_eq!(last.says().text, "nothing left to send: the last 2 are in flight");
    let mut latency = run((3, 0), 10.0, 1_000.0, &BUSY);
    assert_eq!(
        latency.says().text,
        "the provider's latency binds: no limit does, half the answers take 1.2 s"
    );
    latency.meters.latency = LatencySummary::default();
    assert_eq!(latency.says().text, "nothing of ours binds, and no answer has come to measure by");
}

#[test]
fn limits_add_up_over_endpoints_but_those_of_a_group_count_once() {
    let two = |change: &dyn Fn(&mut [EndpointMeters])| {
        let mut both =
            vec![endpoint("a", (5, 7), 100.0, 1_000.0), endpoint("b", (3, 7), 50.0, 500.0)];
        change(&mut both);
        Load::of_all(&both)
    };
    let apart = two(&|_| {});
    assert_eq!((apart.slots.held, apart.slots.target, apart.slots.waiting), (8, 40, 7));
    assert_eq!((apart.requests.now, apart.requests.limit), (150.0, Some(1_000.0)));
    assert_eq!(apart.used().requests_per_minute, Some(0.15));
    let group = two(&|both| {
        for endpoint in both {
            endpoint.group = Some("team".to_owned());
        }
    });
    assert_eq!((group.requests.now, group.requests.limit), (150.0, Some(500.0)));
    assert_eq!(group.requests.configured, None);
    let of_two_models = two(&|both| {
        for (endpoint, model) in both.iter_mut().zip(["small", "large"]) {
            (endpoint.group, endpoint.model) = (Some("team".to_owned()), model.to_owned());
        }
    });
    assert_eq!(of_two_models.requests.limit, Some(1_000.0), "limits hold per model");
    let unlimited = two(&|both| both[1].requests.limit = None);
    assert_eq!(unlimited.requests.limit, None);
    assert_eq!(unlimited.used().requests_per_minute, None);
    // One that serves nobody is set, but not in force.
    let failure = Failure::new(FailureKind::KeyRefused, "no such key");
    let out = two(&|both| both[1].service = Service::OutOfService { failure: failure.clone() });
    assert_eq!((out.slots.held, out.slots.target, out.slots.configured), (5, 20, Some(40)));
    assert_eq!(out.requests.now, 100.0, "what it used of its own quota is not used of the other's");
    let out_of_group = two(&|both| {
        both.iter_mut().for_each(|endpoint| endpoint.group = Some("team".to_owned()));
        both[1].service = Service::OutOfService { failure: failure.clone() };
    });
    assert_eq!((out_of_group.requests.now, out_of_group.requests.limit), (150.0, Some(500.0)));
    assert_eq!((out.requests.limit, out.requests.configured), (Some(500.0), Some(1_000.0)));
    assert!(out.requests.held_down());
    assert_eq!(Load::of_all(&[]).used(), Used::default());
}

#[test]
fn an_alarm_says_since_when_and_with_which_error() {
    let mut run = run((1, 0), 0.0, 0.0, &[S::InFlight, S::BackingOff, S::Queued]);
    assert!(run.look(|situation| situation.alarm().is_none()));
    run.meters.nothing_since = Some(later(-72));
    let words = |run: &Run| run.look(|situation| situation.alarm().unwrap().words(NOW, None));
    assert_eq!(
        words(&run),
        "nothing answered for 01:12: 2 personas under way, and no word from the provider"
    );
    let run = run.failed(FailureKind::Timeout);
    assert_eq!(
        words(&run),
        "nothing answered for 01:12: 2 personas under way, last error timeout: in the provider's \
         words"
    );
    let since = run.look(|situation| situation.alarm().unwrap().words(NOW, Some("12:02:08")));
    assert!(since.starts_with("nothing answered for 01:12, since 12:02:08: "), "{since}");
}

#[test]
fn money_is_told_against_its_budget() {
    let usd = |text: &str| text.parse::<Usd>().unwrap();
    for (projected, budget, words, over) in [
        (None, None, "$1.27", false),
        (Some("5.30"), None, "$1.27, $5.30 at the end", false),
        (Some("4.90"), Some("5"), "$1.27 of $5.00, $4.90 at the end", false),
        (Some("5.30"), Some("5"), "$1.27 of $5.00, $5.30 at the end, over the budget", true),
    ] {
        let cost = Cost::of(&MoneyMeter {
            spent: usd("1.27"),
            reserved: Usd::ZERO,
            projected: projected.map(usd),
            budget: budget.map(usd),
        });
        assert_eq!((cost.words().as_str(), cost.over_budget), (words, over));
    }
}

fn change(second: i64, limit: LimitName, from: u32, to: u32, set_by: LimitSetBy) -> LimitChange {
    LimitChange {
        at: later(second),
        endpoint: EndpointIndex(0),
        limit,
        from: Some(from),
        to: Some(to),
        set_by,
        reason: match set_by {
            LimitSetBy::User => "set by hand",
            _ if to < from => "429 requests",
            _ => "no 429 for 10 s",
        }
        .to_owned(),
    }
}

#[test]
fn the_steps_of_a_recovery_are_one_line_until_something_else_happens() {
    use LimitName::{RequestsPerMinute as R, TokensPerMinute as T};
    use LimitSetBy::{Adaptation as A, User as U};
    let history = [
        change(0, R, 500, 425, A),
        change(0, T, 2_000, 1_700, A),
        change(11, R, 425, 429, A),
        change(11, T, 1_700, 1_717, A),
        change(12, R, 429, 433, A),
        change(12, T, 1_717, 1_734, A),
        change(20, R, 433, 400, U),
        change(31, R, 400, 404, A),
    ];
    let rows: Vec<_> = joined(&history).iter().map(ChangeRow::words).collect();
    assert_eq!(
        rows,
        [
            "requests/min 500 -> 425, adaptation: 429 requests",
            "tokens/min 2,000 -> 1,700, adaptation: 429 requests",
            "requests/min 425 -> 433 in 2 steps, adaptation: no 429 for 10 s",
            "tokens/min 1,700 -> 1,734 in 2 steps, adaptation: no 429 for 10 s",
            "requests/min 433 -> 400, by hand",
            "requests/min 400 -> 404, adaptation: no 429 for 10 s",
        ]
    );
    let rows: Vec<_> = net(&history[..6]).iter().map(ChangeRow::words).collect();
    assert_eq!(
        rows,
        [
            "requests/min 500 -> 433 in 3 steps, adaptation: 429 requests",
            "tokens/min 2,000 -> 1,734 in 3 steps, adaptation: 429 requests",
        ]
    );
}
