//! A run in the middle of its work, made up for the tests of this folder.

use super::{
    glyphs::Glyphs,
    keymap::Keymap,
    state::{Effect, Input, UiState},
    theme::Theme,
    view::Look,
};
use crate::{
    model::*,
    protocol::{
        Activity, CallSize, Delta, Distribution, EndpointMeters, FailureTally, LatencySummary,
        Meters, MoneyMeter, PROTOCOL_VERSION, PersonaDetail, RateMeter, RateSample, RunHeader,
        SlotMeter, Snapshot, StatusChange, Statuses, TokenTotals, Update,
    },
};
use InterviewStatus as S;
use jiff::tz::TimeZone;
use ratatui::layout::Size;
use std::{path::PathBuf, time::Duration};

/// 12:03:20 UTC of some day: every test happens then.
pub const NOW: UnixMillis = UnixMillis(1_760_011_400_000);

pub fn look(glyphs: Glyphs, theme: &str) -> Look {
    Look {
        theme: Theme::built_in(theme).unwrap(),
        glyphs,
        keys: Keymap::built_in().unwrap().of_a_run().without(crate::ui::action::Action::Detach),
        zone: TimeZone::UTC,
    }
}

/// So many personas in the order in which a run leaves them: most over, some under way.
pub fn statuses(total: u32) -> Vec<S> {
    (0..total)
        .map(|n| match n * 100 / total.max(1) {
            0..24 if n % 97 == 41 => S::Failed,
            0..24 if n % 61 == 17 => S::Refused,
            0..24 if n % 83 == 70 => S::BackingOff,
            0..24 => S::Done,
            24..26 => S::InFlight,
            26 => [S::WaitingForSlot, S::WaitingForRequests, S::WaitingForTokens][n as usize % 3],
            _ => S::Queued,
        })
        .collect()
}

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

pub fn meters() -> Meters {
    let per_minute = |n| Some(PerMinute::clamped(n));
    let tally = |kind, attempts, personas, ago, persona, message: &str| FailureTally {
        kind,
        attempts,
        personas,
        last_at: UnixMillis(NOW.0 - ago),
        last_persona: PersonaIndex(persona),
        last_message: message.to_owned(),
    };
    Meters {
        elapsed: Duration::from_secs(761),
        endpoints: vec![EndpointMeters {
            name: "openai".to_owned(),
            model: "gpt-4o-mini".to_owned(),
            slots: SlotMeter { held: 41, target: 50, waiting: 3, configured: None },
            requests: RateMeter {
                now: 412.0,
                last_minute: 405,
                limit: per_minute(500),
                ..RateMeter::default()
            },
            tokens: RateMeter {
                now: 193_400.0,
                last_minute: 190_000,
                limit: per_minute(200_000),
                ..RateMeter::default()
            },
            paused_until: None,
            group: None,
            service: Service::InService,
            answered: 1_190,
            failed: 13,
            adaptation: 1.0,
            first_byte: Some(Duration::from_millis(1_150)),
        }],
        failures: vec![
            tally(
                FailureKind::RateLimitedTokens,
                8,
                0,
                2_000,
                1_190,
                "Rate limit reached for gpt-4o-mini on tokens per min (TPM): Limit 200000",
            ),
            tally(FailureKind::Timeout, 3, 0, 95_000, 317, "no reply within 60 s"),
            tally(FailureKind::Malformed, 2, 1, 10_000, 41, "no \"survey\" in the answer"),
        ],
        latency: LatencySummary {
            count: 1_190,
            p50: Duration::from_millis(1_200),
            p90: Duration::from_millis(2_800),
            p99: Duration::from_millis(5_000),
        },
        finished_per_minute: 96.0,
        remaining: Some(Duration::from_secs(2_371)),
        tokens: TokenTotals { prompt: 728_000, completion: 277_000, cached: 410_000 },
        last_success: Some(UnixMillis(NOW.0 - 300)),
        unsaved: 0,
        money: Some(MoneyMeter {
            spent: usd("1.27"),
            reserved: usd("0.04"),
            projected: Some(usd("4.90")),
            budget: Some(usd("5")),
        }),
        nothing_since: None,
        batches: crate::protocol::BatchMeters::default(),
        adapting: true,
        from_cache: 0,
        similar: 0,
        distribution: distribution(),
        analysis: None,
        calls: CallSize { prompt: 611.0, output: 233.0, output_cap: 600, cap_is_charged: false },
        replay: None,
    }
}

/// Three endpoints: one whose limits adaptation holds down, one that cools down, and one in the
/// first one's group that is out of service.
pub fn three_endpoints() -> Vec<EndpointMeters> {
    let per_minute = |n| Some(PerMinute::clamped(n));
    let mut openai = meters().endpoints.remove(0);
    openai.slots = SlotMeter { held: 30, target: 40, waiting: 3, configured: Some(50) };
    openai.requests.now = 212.0;
    openai.requests.limit = per_minute(255);
    openai.requests.configured = per_minute(500);
    openai.tokens.limit = per_minute(102_000);
    openai.tokens.configured = per_minute(200_000);
    openai.tokens.now = 99_000.0;
    openai.group = Some("team".to_owned());
    openai.answered = 714;
    openai.failed = 9;
    openai.adaptation = 0.51;
    let mut azure = openai.clone();
    azure.name = "azure-sweden".to_owned();
    azure.slots = SlotMeter { held: 11, target: 20, waiting: 3, configured: None };
    azure.requests = RateMeter { limit: per_minute(300), configured: None, ..azure.requests };
    azure.tokens = RateMeter { limit: per_minute(120_000), configured: None, ..azure.tokens };
    azure.group = None;
    azure.answered = 470;
    azure.adaptation = 1.0;
    azure.service = Service::CoolingDown {
        until: UnixMillis(NOW.0 + 12_000),
        failure: Failure::new(FailureKind::Timeout, "no reply within 60 s"),
    };
    let mut second = openai.clone();
    second.name = "openai-2".to_owned();
    second.slots.held = 0;
    second.requests.now = 0.0;
    second.tokens.now = 0.0;
    second.answered = 6;
    second.failed = 4;
    second.adaptation = 1.0;
    second.service = Service::OutOfService {
        failure: Failure::new(FailureKind::KeyRefused, "Incorrect API key provided"),
    };
    vec![openai, azure, second]
}

/// How the limits of these endpoints came to be what they are.
pub fn changes() -> Vec<LimitChange> {
    use LimitName::{RequestsPerMinute as R, Slots, TokensPerMinute as T};
    use LimitSetBy::{Adaptation, Header, User};
    let change = |ago: i64, endpoint, limit, from, to, set_by, reason: &str| LimitChange {
        at: UnixMillis(NOW.0 - ago),
        endpoint: EndpointIndex(endpoint),
        limit,
        from,
        to: Some(to),
        set_by,
        reason: reason.to_owned(),
    };
    let mut changes = vec![
        change(700_000, 1, R, None, 300, Header, "x-ratelimit-limit-requests"),
        change(300_000, 0, Slots, Some(45), 50, User, "set by hand"),
        change(200_000, 0, R, Some(500), 250, Adaptation, "429 requests"),
        change(200_000, 0, T, Some(200_000), 100_000, Adaptation, "429 requests"),
        change(100_000, 0, Slots, Some(50), 40, Adaptation, "overloaded"),
    ];
    for n in 0..5 {
        let ago = 90_000 - i64::from(n) * 1_000;
        changes.push(change(ago, 0, R, Some(250 + n), 251 + n, Adaptation, "no 429 for 10 s"));
    }
    changes
}

/// What the answers come to.
pub fn analysis() -> Analysis {
    let finding = |text: &str, groups: &[u32], personas: &[u32]| Finding {
        text: text.to_owned(),
        groups: groups.to_vec(),
        personas: personas.iter().copied().map(PersonaIndex).collect(),
    };
    let tally = |name: &str, by_support| Tally { name: name.to_owned(), by_support, weight: 30.0 };
    Analysis {
        findings: Findings {
            themes: vec![
                finding(
                    "Rents are on everybody's mind: those who rent hope that homes without a car \
                     space are cheaper, and those who own doubt it.",
                    &[1, 2, 3],
                    &[4, 17, 58],
                ),
                finding("Side streets are full already.", &[2], &[61]),
            ],
            conflicts: vec![finding("Drivers and renters want opposite things.", &[1, 3], &[4])],
            surprises: Vec::new(),
        },
        by: MadeBy::Model,
        covers: vec![1, 2, 3],
        groups: 3,
        fell_back: vec![2],
        answers: 120,
        weight: 150.0,
        drivers: vec![tally("rent takes half the pay", [1, 2, 4, 12, 30]), tally("no bus", [9; 5])],
        themes: vec![tally("housing", [10, 11, 12, 13, 14])],
    }
}

/// A few answers, weighted.
pub fn distribution() -> Distribution {
    let impacts = vec![Dimension::from("Housing".to_owned())];
    let mut spread =
        Distribution::of(&Grid { support: "Support for the proposal".to_owned(), impacts });
    for (n, (support, housing)) in [(5, 4), (4, 4), (4, 3), (2, 1), (1, 1)].into_iter().enumerate()
    {
        let score = |number: u8| Score::try_from(number).ok();
        spread.count(Some(1.0 + n as f64 / 2.0), [score(support), score(housing)]);
    }
    spread
}

pub fn snapshot(total: u32) -> Snapshot {
    let history = (0..90_u16)
        .map(|n| RateSample {
            requests: 300.0 + f32::from(n % 30) * 6.0,
            tokens: 120_000.0 + f32::from(n % 45) * 1_500.0,
            in_flight: 41,
            failures: u32::from(n % 20 == 0),
        })
        .collect();
    let line = |ago, level, text: &str| LogLine {
        at: UnixMillis(NOW.0 - ago),
        level,
        text: text.to_owned(),
    };
    Snapshot {
        version: PROTOCOL_VERSION,
        header: RunHeader {
            run: "parking-minimums-7f3a".to_owned(),
            run_file: PathBuf::from("/runs/parking-minimums-7f3a.voxpop"),
            survey: "parking-minimums".to_owned(),
            question: "Should the council stop requiring car spaces?".to_owned(),
            support: "Support for the proposal".to_owned(),
            pack: 1,
            started_at: UnixMillis(NOW.0 - 761_000),
            live: true,
        },
        phase: RunPhase::Running,
        statuses: Statuses(statuses(total)),
        meters: meters(),
        history,
        log: vec![
            line(761_000, LogLevel::Info, "run parking-minimums-7f3a begins"),
            line(12_000, LogLevel::Warn, "persona 1190 attempt 1: 429 tokens; again in 4.1 s"),
            line(10_000, LogLevel::Error, "persona 41 failed: malformed: no \"survey\""),
        ],
        changes: Vec::new(),
        summary: None,
        analysis: None,
    }
}

/// A delta that changes these personas and nothing else.
pub fn delta(changes: &[(u32, S)]) -> Delta {
    Delta {
        phase: RunPhase::Running,
        statuses: changes
            .iter()
            .map(|&(n, status)| StatusChange { persona: PersonaIndex(n), status })
            .collect(),
        meters: meters(),
        history: Vec::new(),
        log: Vec::new(),
        changes: Vec::new(),
        summary: None,
        analysis: None,
    }
}

/// The delta that ends the run.
pub fn last_delta(phase: RunPhase) -> Delta {
    let summary = RunSummary {
        run: "parking-minimums-7f3a".to_owned(),
        run_file: PathBuf::from("/runs/parking-minimums-7f3a.voxpop"),
        total: 5_000,
        done: 1_190,
        failed: 1,
        refused: 3,
        in_batches: 0,
        flagged: 0,
        seconds: 761.0,
    };
    Delta { phase, summary: Some(summary), ..delta(&[]) }
}

pub fn detail(persona: u32, status: S) -> PersonaDetail {
    let attribute =
        |name: &str, value: &str| Attribute { name: name.to_owned(), value: value.to_owned() };
    let score = |n| Score::try_from(n).unwrap();
    let failure = Failure::new(FailureKind::Malformed, "no \"survey\" in the answer");
    let attempt = |number, ago, failure: Option<Failure>| Attempt {
        persona: PersonaIndex(persona),
        stage: Stage::Answer,
        number,
        endpoint: EndpointIndex(0),
        sent_at: UnixMillis(NOW.0 - ago),
        timing: AttemptTiming {
            queued: Duration::from_millis(1_200),
            waited_for_slot: Duration::from_millis(12),
            waited_for_rate: Duration::from_millis(2_100),
            on_the_wire: Duration::from_millis(4_100),
            parsed: Duration::from_micros(300),
        },
        status: Some(200),
        request_id: Some("req_8f3a0c11".to_owned()),
        usage: Some(Usage { prompt_tokens: 612, completion_tokens: 233, cached_tokens: 0 }),
        body: failure.is_some().then(|| "{\"narrative\": \"As a nurse who rents I".to_owned()),
        from_cache: false,
        failure,
    };
    let failed = status == S::Failed;
    PersonaDetail {
        persona: Persona {
            index: PersonaIndex(persona),
            id: format!("row-{persona}"),
            weight: Some(1.2),
            attributes: vec![
                attribute("occupation", "Nurse"),
                attribute("age", "35 to 39"),
                attribute("tenure", "rents"),
            ],
        },
        packed: None,
        status,
        activity: (!status.is_over() && status != S::Queued).then(|| Activity {
            since: UnixMillis(NOW.0 - 4_000),
            until: (status == S::BackingOff).then_some(UnixMillis(NOW.0 + 26_000)),
        }),
        system_prompt: "You answer a survey in the voice of one person.".to_owned(),
        user_prompt: "You are a nurse, 35 to 39, who rents.\nWhat do you say?".to_owned(),
        attempts: match status {
            S::Queued => Vec::new(),
            S::Failed => {
                vec![
                    attempt(1, 15_000, Some(failure.clone())),
                    attempt(2, 10_000, Some(failure.clone())),
                ]
            }
            _ => vec![attempt(1, 5_000, None)],
        },
        steps: Vec::new(),
        flags: Vec::new(),
        answer: (status == S::Done).then(|| Answer {
            narrative: "I depend on a car for night shifts. Still, rents keep me up at night."
                .to_owned(),
            support_level: score(4),
            impacts: vec![
                ("housing".to_owned(), score(5)),
                ("public_transport".to_owned(), score(2)),
            ],
            key_concerns: vec!["Night shifts without a bus".to_owned()],
            suggested_improvements: vec!["Run the 909 bus all night".to_owned()],
        }),
        failure: failed.then_some(failure),
        refusal: (status == S::Refused).then(|| "I can't speak for this person.".to_owned()),
    }
}

/// A state of this size with a run of so many personas.
pub fn state(width: u16, height: u16, total: u32) -> UiState {
    let mut state = UiState::new(Size { width, height }, NOW, true);
    state.apply(Input::Update(Update::Snapshot(Box::new(snapshot(total)))));
    state
}

/// The same with three endpoints and a history of their limits.
pub fn several(width: u16, height: u16) -> UiState {
    let mut snapshot = snapshot(5_000);
    snapshot.meters.endpoints = three_endpoints();
    snapshot.changes = changes();
    let mut state = UiState::new(Size { width, height }, NOW, true);
    state.apply(Input::Update(Update::Snapshot(Box::new(snapshot))));
    state
}

/// A delta of that run in which nothing happens.
pub fn several_delta() -> Delta {
    let mut delta = delta(&[]);
    delta.meters.endpoints = three_endpoints();
    delta
}

/// Applies an input as the event loop does: what it sends gets a number.
pub fn apply(state: &mut UiState, input: Input, next_id: &mut u64) -> Vec<Effect> {
    let effects = state.apply(input);
    for effect in &effects {
        if let Effect::Send(order) = effect {
            *next_id += 1;
            let id = crate::protocol::CommandId(*next_id);
            state.apply(Input::Sent { id, order: order.clone() });
        }
    }
    effects
}
