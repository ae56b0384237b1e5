//! What a frame costs: time at 200x60 with many personas, and bytes at 120x40.
//! `cargo bench --bench frame`; prints its figures and asserts nothing.

use ratatui::layout::Size;
use std::time::{Duration, Instant};
use voxpop::{
    model::{
        FailureKind, InterviewStatus as S, LogLevel, LogLine, PerMinute, PersonaIndex, RunPhase,
        Service, UnixMillis,
    },
    protocol::{
        Delta, EndpointMeters, FailureTally, Meters, PROTOCOL_VERSION, RateMeter, RateSample,
        RunHeader, SlotMeter, Snapshot, StatusChange, Statuses, Update,
    },
    ui::{
        Options,
        capabilities::Capabilities,
        screen::Screen,
        state::{Input, UiState},
        view::{self, Look},
    },
};

const NOW: UnixMillis = UnixMillis(1_760_011_400_000);
const FRAMES: u32 = 400;

fn main() {
    let look = look();
    println!("time of a frame at 200x60, 50 changes each, taking in the delta included");
    for total in [1_000, 100_000, 1_000_000] {
        let (mean, most, bytes) = frames(&look, (200, 60), total, 50, Order::Dispatch);
        println!(
            "{total:>9} personas: mean {mean:>8.1?}, 99 % within {most:>8.1?}, {bytes:>6} bytes"
        );
    }
    println!("bytes of a frame at 120x40");
    for (what, changes, order) in [
        ("50 changes in dispatch order", 50, Order::Dispatch),
        ("500 changes in dispatch order", 500, Order::Dispatch),
        ("50 changes anywhere", 50, Order::Random),
    ] {
        let (mean, _, bytes) = frames(&look, (120, 40), 1_000, changes, order);
        println!("{what:>30}: {bytes:>6} bytes, {mean:.1?}");
    }
    let mut screen = Screen::new(Size { width: 120, height: 40 });
    let state = state((120, 40), 5_000);
    let first = screen.compose(|frame| view::draw(frame, &state, &look)).map_or(0, |b| b.len());
    println!("{:>30}: {first:>6} bytes", "first paint");
    let per_second = busy_second(&look);
    println!("{:>30}: {per_second:>6} bytes a second", "busy run, 10 deltas a second");
}

enum Order {
    Dispatch,
    Random,
}

fn look() -> Look {
    let options = Options::default();
    let capabilities = Capabilities::detect(
        |name| (name == "LANG").then(|| "C.UTF-8".to_owned()),
        options.color,
        options.ascii,
        options.fps,
    );
    Look::new(&capabilities, &options).expect("the built-in keys and themes hold")
}

fn meters(n: u32) -> Meters {
    let tally = |kind, attempts| FailureTally {
        kind,
        attempts,
        personas: 0,
        last_at: NOW,
        last_persona: PersonaIndex(n % 100),
        last_message: "Rate limit reached for gpt-4o-mini on tokens per min (TPM)".to_owned(),
    };
    Meters {
        elapsed: Duration::from_millis(u64::from(n) * 100),
        endpoints: vec![EndpointMeters {
            name: "openai".to_owned(),
            model: "gpt-4o-mini".to_owned(),
            slots: SlotMeter { held: 40 + n % 11, target: 50, waiting: n % 4, configured: None },
            requests: RateMeter {
                now: f64::from(480 + n % 20),
                last_minute: 480,
                limit: Some(PerMinute::clamped(500)),
                ..RateMeter::default()
            },
            tokens: RateMeter {
                now: f64::from(180_000 + n % 20_000),
                last_minute: 180_000,
                limit: Some(PerMinute::clamped(200_000)),
                ..RateMeter::default()
            },
            paused_until: None,
            group: None,
            service: Service::InService,
            answered: u64::from(n) * 8,
            failed: u64::from(n / 5),
            adaptation: 1.0,
            first_byte: None,
        }],
        failures: vec![
            tally(FailureKind::RateLimitedTokens, u64::from(n / 7)),
            tally(FailureKind::Timeout, u64::from(n / 11)),
        ],
        finished_per_minute: f64::from(400 + n % 90),
        remaining: Some(Duration::from_secs(u64::from(1_000_u32.saturating_sub(n)))),
        ..Meters::default()
    }
}

fn state((width, height): (u16, u16), total: u32) -> UiState {
    let snapshot = Snapshot {
        version: PROTOCOL_VERSION,
        header: RunHeader {
            run: "parking-minimums-7f3a".to_owned(),
            run_file: "/runs/parking-minimums-7f3a.voxpop".into(),
            survey: "parking-minimums".to_owned(),
            question: "Should the council stop requiring car spaces?".to_owned(),
            support: "Support for the proposal".to_owned(),
            pack: 1,
            started_at: NOW,
            live: true,
        },
        phase: RunPhase::Running,
        statuses: Statuses(vec![S::Queued; total as usize]),
        meters: meters(0),
        history: (0..300).map(sample).collect(),
        log: Vec::new(),
        changes: Vec::new(),
        summary: None,
        analysis: None,
    };
    let mut state = UiState::new(Size { width, height }, NOW, true);
    state.apply(Input::Update(Update::Snapshot(Box::new(snapshot))));
    state
}

fn sample(n: u32) -> RateSample {
    let wave = (n % 40) as f32;
    RateSample {
        requests: 400.0 + wave * 2.0,
        tokens: 150_000.0 + wave * 900.0,
        in_flight: 45,
        failures: n % 2,
    }
}

/// The n-th tenth of a second of a busy run.
fn delta(n: u32, total: u32, changes: u32, order: &Order) -> Delta {
    let mut statuses: Vec<StatusChange> = (0..changes)
        .map(|k| {
            let (persona, status) = match order {
                // Half go in flight at the front, half are done behind it.
                Order::Dispatch => {
                    let front = n * changes / 2 + k;
                    (front % total, if k < changes / 2 { S::Done } else { S::InFlight })
                }
                Order::Random => {
                    let mixed = (n * changes + k).wrapping_mul(2_654_435_761);
                    (mixed % total, S::ALL[(mixed >> 20) as usize % S::COUNT])
                }
            };
            StatusChange { persona: PersonaIndex(persona), status }
        })
        .collect();
    statuses.sort_by_key(|change| change.persona);
    statuses.dedup_by_key(|change| change.persona);
    Delta {
        phase: RunPhase::Running,
        statuses,
        meters: meters(n),
        history: if n.is_multiple_of(10) { vec![sample(n)] } else { Vec::new() },
        log: if n.is_multiple_of(5) {
            let text = format!("persona {n} attempt 1: 429 tokens; again in 4.1 s");
            vec![LogLine {
                at: UnixMillis(NOW.0 + i64::from(n) * 100),
                level: LogLevel::Warn,
                text,
            }]
        } else {
            Vec::new()
        },
        changes: Vec::new(),
        summary: None,
        analysis: None,
    }
}

/// The mean time of a frame, the time that 99 of 100 keep, and the mean number of bytes.
fn frames(
    look: &Look,
    size: (u16, u16),
    total: u32,
    changes: u32,
    order: Order,
) -> (Duration, Duration, usize) {
    let mut state = state(size, total);
    let mut screen = Screen::new(state.size);
    screen.compose(|frame| view::draw(frame, &state, look));
    let (mut times, mut bytes) = (Vec::new(), 0);
    for n in 1..=FRAMES {
        let update = Update::Delta(Box::new(delta(n, total, changes, &order)));
        let start = Instant::now();
        state.apply(Input::Ticked(UnixMillis(NOW.0 + i64::from(n) * 100)));
        state.apply(Input::Update(update));
        let frame = screen.compose(|frame| view::draw(frame, &state, look));
        times.push(start.elapsed());
        bytes += frame.map_or(0, |bytes| bytes.len());
    }
    times.sort();
    let mean = times.iter().sum::<Duration>() / FRAMES;
    (mean, times[times.len() * 99 / 100], bytes / FRAMES as usize)
}

/// Bytes a second while 500 interviews a second go through a grid of 1,000.
fn busy_second(look: &Look) -> usize {
    let mut state = state((120, 40), 1_000);
    let mut screen = Screen::new(state.size);
    screen.compose(|frame| view::draw(frame, &state, look));
    let mut bytes = 0;
    for n in 1..=100 {
        state.apply(Input::Ticked(UnixMillis(NOW.0 + i64::from(n) * 100)));
        let update = Update::Delta(Box::new(delta(n, 1_000, 100, &Order::Dispatch)));
        state.apply(Input::Update(update));
        let frame = screen.compose(|frame| view::draw(frame, &state, look));
        bytes += frame.map_or(0, |bytes| bytes.len());
    }
    bytes / 10
}
