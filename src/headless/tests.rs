//! What is written, line by line, when a run does this and that.

use super::{Format, plain, watch};
use crate::{
    link,
    model::*,
    protocol::{
        CommandOutcome, Delta, EndpointMeters, FailureTally, LatencySummary, Meters, MoneyMeter,
        Order, Outlet, PROTOCOL_VERSION, RateMeter, RunHeader, SlotMeter, Snapshot, Statuses,
        Update,
    },
};
use InterviewStatus as S;
use serde_json::{Value, json};
use std::time::Duration;

fn endpoint(name: &str) -> EndpointMeters {
    let rate = |now, limit, configured| RateMeter {
        now,
        last_minute: 0,
        limit: Some(PerMinute::clamped(limit)),
        configured: Some(PerMinute::clamped(configured)),
        found: false,
    };
    EndpointMeters {
        name: name.to_owned(),
        model: "gpt-4o-mini".to_owned(),
        slots: SlotMeter { held: 8, target: 20, waiting: 3, configured: None },
        requests: rate(120.0, 400, 500),
        tokens: rate(97_000.0, 100_000, 100_000),
        paused_until: None,
        group: Some("team".to_owned()),
        service: Service::InService,
        answered: 90,
        failed: 2,
        adaptation: 0.8,
        first_byte: Some(Duration::from_millis(420)),
    }
}

fn meters() -> Meters {
    let usd = |text: &str| text.parse::<Usd>().unwrap();
    let failure = Failure::new(FailureKind::KeyRefused, "no such key");
    let mut second = endpoint("second");
    second.service = Service::OutOfService { failure };
    second.requests.now = 0.0;
    second.tokens.now = 0.0;
    Meters {
        elapsed: Duration::from_secs(60),
        endpoints: vec![endpoint("openai"), second],
        failures: vec![FailureTally {
            kind: FailureKind::Timeout,
            attempts: 2,
            personas: 0,
            last_at: UnixMillis(1),
            last_persona: PersonaIndex(1),
            last_message: "no reply within 60 s".to_owned(),
        }],
        latency: LatencySummary { count: 90, p50: Duration::from_secs(4), ..Default::default() },
        money: Some(MoneyMeter {
            spent: usd("1.27"),
            reserved: usd("0.5"),
            projected: Some(usd("5.30")),
            budget: Some(usd("5")),
        }),
        adapting: true,
        ..Meters::default()
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        version: PROTOCOL_VERSION,
        header: RunHeader {
            run: "parking-7f3a".to_owned(),
            run_file: "/runs/parking-7f3a.voxpop".into(),
            survey: "parking".to_owned(),
            question: "Should it?".to_owned(),
            support: "Support".to_owned(),
            pack: 1,
            started_at: UnixMillis(0),
            live: true,
        },
        phase: RunPhase::Running,
        statuses: Statuses(vec![S::Done, S::InFlight, S::WaitingForTokens, S::Queued]),
        meters: meters(),
        history: Vec::new(),
        log: Vec::new(),
        changes: vec![change(0, 500, 450, LimitSetBy::User)],
        summary: None,
        analysis: None,
    }
}

fn change(second: i64, from: u32, to: u32, set_by: LimitSetBy) -> LimitChange {
    LimitChange {
        at: UnixMillis(second * 1_000),
        endpoint: EndpointIndex(0),
        limit: LimitName::RequestsPerMinute,
        from: Some(from),
        to: Some(to),
        set_by,
        reason: if set_by == LimitSetBy::User { "set by hand" } else { "429 requests" }.to_owned(),
    }
}

fn delta(changes: Vec<LimitChange>) -> Delta {
    Delta {
        phase: RunPhase::Running,
        statuses: Vec::new(),
        meters: meters(),
        history: Vec::new(),
        log: Vec::new(),
        changes,
        summary: None,
        analysis: None,
    }
}

/// Lets a run do something between pauses of so many seconds, and returns what was written.
async fn written(format: Format, doings: Vec<(u64, Update)>) -> (String, Vec<Order>) {
    let (link, outlet, mut commands) = link::local();
    outlet.publish(Update::Snapshot(Box::new(snapshot())));
    let run = async move {
        for (seconds, update) in doings {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            outlet.publish(update);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let mut out = Vec::new();
    tokio::join!(watch(link, format, &mut out), run);
    let mut orders = Vec::new();
    while let Some(command) = commands.recv().await {
        orders.push(command.order);
    }
    (String::from_utf8(out).unwrap(), orders)
}

fn objects(text: &str, event: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|object| object["event"] == event).collect()
}

#[tokio::test(start_paused = true)]
async fn programs_read_what_binds_how_far_and_what_would_help() {
    let mut quiet = delta(Vec::new());
    quiet.meters.nothing_since = Some(UnixMillis(UnixMillis::now().0 - 72_000));
    let quiet = Update::Delta(Box::new(quiet));
    let (text, _) =
        written(Format::Json, vec![(11, quiet), (10, Update::Delta(Box::new(delta(Vec::new()))))])
            .await;
    let progress = objects(&text, "progress");
    assert_eq!(progress.len(), 2);
    let first = &progress[0];
    assert_eq!(first["binds"], "tokens_per_minute");
    assert_eq!(
        first["used"],
        json!({"slots": 0.4, "requests_per_minute": 0.3, "tokens_per_minute": 0.97})
    );
    let advice = first["advice"].as_str().unwrap();
    assert!(advice.starts_with("tokens/min binds at 97 %: "), "{advice}");
    assert_eq!(
        first["money"],
        json!({"spent": 1.27, "reserved": 0.5, "projected": 5.3, "budget": 5.0})
    );
    assert_eq!((&first["alarm"], &first["adapting"]), (&Value::Null, &json!(true)));
    let [openai, second] = first["endpoints"].as_array().unwrap().as_slice() else { panic!() };
    for (key, expected) in [
        ("name", json!("openai")),
        ("group", json!("team")),
        ("service", json!({"state": "in_service", "until_ms": null, "reason": null})),
        (
            "requests_per_minute",
            json!({"now": 120.0, "limit": 400, "configured": 500, "found": false}),
        ),
        ("slots", json!({"held": 8, "target": 20, "waiting": 3, "configured": 20})),
        ("adaptation", json!(0.8)),
        ("answered", json!(90)),
        ("failed", json!(2)),
        ("first_byte_seconds", json!(0.42)),
    ] {
        assert_eq!(openai[key], expected, "{key}");
    }
    assert_eq!(second["service"]["state"], "out_of_service");
    assert_eq!(second["service"]["reason"], "key refused: no such key");
    let alarm = &progress[1]["alarm"];
    assert!(alarm["seconds"].as_u64().unwrap() >= 72, "{alarm}");
    assert_eq!(alarm["personas_under_way"], 1);
    let error = json!({"kind": "timeout", "message": "no reply within 60 s"});
    assert_eq!(alarm["last_error"], error);
}

#[tokio::test(start_paused = true)]
async fn programs_read_every_change_of_a_limit_once() {
    use LimitSetBy::{Adaptation, Header};
    // A slow reader finds changes folded into a snapshot, beside those that it has seen.
    let mut folded = snapshot();
    folded.changes.extend([
        change(1, 450, 400, Adaptation),
        change(2, 400, 404, Adaptation),
        change(3, 404, 300, Header),
    ]);
    let (text, _) = written(
        Format::Json,
        vec![
            (1, Update::Delta(Box::new(delta(vec![change(1, 450, 400, Adaptation)])))),
            (1, Update::Snapshot(Box::new(folded))),
            (1, Update::Delta(Box::new(delta(vec![change(4, 300, 290, Adaptation)])))),
        ],
    )
    .await;
    let changes = objects(&text, "limit_changed");
    let seen: Vec<_> = changes.iter().map(|change| change["to"].as_u64().unwrap()).collect();
    assert_eq!(seen, [400, 404, 300, 290]);
    assert_eq!(
        changes[2],
        json!({
            "event": "limit_changed", "at_ms": 3_000, "endpoint": "openai",
            "limit": "requests_per_minute", "from": 404, "to": 300, "set_by": "header",
            "reason": "429 requests",
        })
    );
}

#[tokio::test(start_paused = true)]
async fn people_read_the_same_in_words_and_adaptation_added_up() {
    use LimitSetBy::{Adaptation, User};
    let mut quiet = delta(Vec::new());
    quiet.meters.nothing_since = Some(UnixMillis(UnixMillis::now().0 - 72_000));
    let changes = |list| Update::Delta(Box::new(delta(list)));
    let (text, _) = written(
        Format::Plain,
        vec![
            (1, changes(vec![change(1, 450, 380, Adaptation), change(2, 380, 384, Adaptation)])),
            (1, changes(vec![change(3, 384, 400, User)])),
            (1, changes(vec![change(4, 400, 404, Adaptation)])),
            (9, Update::Delta(Box::new(quiet))),
            (1, changes(Vec::new())),
        ],
    )
    .await;
    insta::assert_snapshot!(text.replace("01:13", "01:12"), @r"
    run parking-7f3a: Should it?
    asking 3 of 4 personas with gpt-4o-mini at openai, gpt-4o-mini at second, 1 are over
    openai: requests/min 384 -> 400, by hand
    openai: requests/min 450 -> 404 in 3 steps, adaptation: 429 requests
    01:00  1 of 4 done; 120 of 400 (set 500) requests/min, 97000 of 100000 tokens/min, 8 of 20 slots; $1.27 of $5.00, $5.30 at the end, over the budget
           tokens/min binds at 97 %: more slots will not help; shorter prompts and answers would
           second is out of service until somebody mends it: key refused: no such key
    ALARM: nothing answered for 01:12: 1 persona under way, last error timeout: no reply within 60 s
    the alarm is over
    ");
}

#[test]
fn words_of_a_run_from_elsewhere_are_harmless() {
    let hostile = "a\u{1b}[2J\u{9b}2J\u{202e}b";
    let mut run = snapshot();
    run.header.run = hostile.to_owned();
    run.header.question = format!("{hostile}\nc");
    run.meters.endpoints[0].name = hostile.to_owned();
    run.meters.endpoints[0].model = hostile.to_owned();
    run.meters.failures.push(FailureTally {
        kind: FailureKind::Malformed,
        attempts: 1,
        personas: 1,
        last_at: UnixMillis(0),
        last_persona: PersonaIndex(0),
        last_message: hostile.to_owned(),
    });
    let reason = PauseReason::CannotStore { message: hostile.to_owned() };
    let line = LogLine { at: UnixMillis(0), level: LogLevel::Error, text: hostile.to_owned() };
    let mut out = Vec::new();
    plain::started(&mut out, &run).unwrap();
    plain::failures(&mut out, &run).unwrap();
    plain::limits_changed(&mut out, &run, &[change(0, 1, 2, LimitSetBy::User)]).unwrap();
    plain::phase(&mut out, &RunPhase::Paused { reason }).unwrap();
    plain::log(&mut out, &line).unwrap();
    plain::outcome(&mut out, &CommandOutcome::Applied { what: hostile.to_owned() }).unwrap();
    plain::outcome(&mut out, &CommandOutcome::Refused { why: hostile.to_owned() }).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("a[2J2Jb").count(), 10, "{text}");
    let obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!text.contains(obeyed), "{text:?}");
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_ends_a_run_that_nobody_can_mend() {
    let usd = |text: &str| text.parse::<Usd>().unwrap();
    let reason = PauseReason::BudgetSpent { spent: usd("4.99"), budget: usd("5") };
    let paused = Delta { phase: RunPhase::Paused { reason }, ..delta(Vec::new()) };
    let (text, orders) = written(Format::Plain, vec![(1, Update::Delta(Box::new(paused)))]).await;
    assert_eq!(orders, [Order::FinishAndStop]);
    assert!(text.contains("paused: $4.99 of the budget of $5.00 are spent"), "{text}");
}
