//! Screens as pictures: text and styles at five sizes, in both glyph sets, with and without
//! colours, at a fixed moment.

use super::*;
use crate::{
    model::{
        Failure, FailureKind, InterviewStatus as S, LogLevel, LogLine, PauseReason, RunPhase,
        UnixMillis,
    },
    protocol::{Delta, Update},
    ui::{
        action::Action,
        fixture::{self, NOW, delta, last_delta},
        screen::Screen,
        state::Input,
        theme,
    },
};
use proptest::prelude::*;
use ratatui::{
    layout::{Rect, Size},
    style::{Color, Modifier},
};
use std::fmt::Write;

const SIZES: [(u16, u16); 5] = [(200, 60), (120, 40), (80, 24), (60, 16), (40, 10)];

pub(super) fn drawn(state: &UiState, look: &Look) -> Buffer {
    let mut frame = Buffer::empty(Rect::new(0, 0, state.size.width, state.size.height));
    draw(&mut frame, state, look);
    frame
}

pub(super) fn text(frame: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..frame.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < frame.area.width {
            let symbol = frame[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol)).unwrap().max(1);
        }
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

/// The styles of every line: how many cells have which.
fn runs(frame: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..frame.area.height {
        let mut runs: Vec<(String, u16)> = Vec::new();
        for x in 0..frame.area.width {
            let cell = &frame[(x, y)];
            let mut style = match cell.fg {
                Color::Reset => "-".to_owned(),
                color => color.to_string(),
            };
            if cell.bg != Color::Reset {
                write!(style, " on {}", cell.bg).unwrap();
            }
            if cell.modifier != Modifier::empty() {
                write!(style, " {}", format!("{:?}", cell.modifier).to_lowercase()).unwrap();
            }
            match runs.last_mut() {
                Some((last, cells)) if *last == style => *cells += 1,
                _ => runs.push((style, 1)),
            }
        }
        let runs: Vec<_> = runs.into_iter().map(|(style, n)| format!("{n} {style}")).collect();
        writeln!(text, "{y:>2}: {}", runs.join(", ")).unwrap();
    }
    text
}

/// The usual picture: a run at a quarter, with a failed persona chosen.
fn usual(width: u16, height: u16) -> UiState {
    let mut state = fixture::state(width, height, 5_000);
    state.apply(Input::Act(Action::NextFailed));
    state.apply(Input::Update(Update::Detail(Box::new(fixture::detail(41, S::Failed)))));
    state
}

#[test]
fn the_dashboard_at_every_size() {
    for (width, height) in SIZES {
        for (name, glyphs) in [("unicode", Glyphs::UNICODE), ("ascii", Glyphs::ASCII)] {
            let state = usual(width, height);
            let color = drawn(&state, &fixture::look(glyphs, theme::DEFAULT));
            let mono = drawn(&state, &fixture::look(glyphs, theme::MONO));
            assert_eq!(text(&color), text(&mono), "no word depends on the colours");
            let picture =
                format!("{}\n16 colours\n{}\nmono\n{}", text(&color), runs(&color), runs(&mono));
            insta::assert_snapshot!(format!("{width}x{height}_{name}"), picture);
        }
    }
}

#[test]
fn what_lies_over_the_dashboard() {
    let look = fixture::look(Glyphs::UNICODE, theme::DEFAULT);
    for (width, height) in [(120, 40), (80, 24), (40, 10)] {
        for (name, actions) in [
            ("inspector", &[Action::Open][..]),
            ("help", &[Action::Help]),
            ("quit", &[Action::Quit]),
            ("find", &[Action::Find]),
            ("errors", &[Action::NextPanel, Action::NextPanel, Action::MoveDown]),
        ] {
            let mut state = usual(width, height);
            for action in actions {
                state.apply(Input::Act(*action));
            }
            let picture = text(&drawn(&state, &look));
            insta::assert_snapshot!(format!("{width}x{height}_{name}"), picture);
        }
    }
}

#[test]
fn an_answer_is_read_with_its_numbers_as_bars() {
    let look = fixture::look(Glyphs::UNICODE, theme::DEFAULT);
    let mut state = fixture::state(80, 40, 200);
    for (n, status) in [(0, S::Done), (17, S::Refused), (48, S::InFlight), (70, S::BackingOff)] {
        state.apply(Input::Update(Update::Delta(Box::new(delta(&[(n, status)])))));
        state.apply(Input::Act(Action::Find));
        for c in n.to_string().chars() {
            state.apply(Input::Typed(c));
        }
        state.apply(Input::Act(Action::Open));
        state.apply(Input::Act(Action::Open));
        state.apply(Input::Update(Update::Detail(Box::new(fixture::detail(n, status)))));
        let picture = text(&drawn(&state, &look));
        insta::assert_snapshot!(format!("inspector_{}", status.as_str()), picture);
    }
}

fn says(state: &UiState, words: &str) {
    let look = fixture::look(Glyphs::UNICODE, theme::DEFAULT);
    let picture = text(&drawn(state, &look));
    // An alert may go on in the second line.
    let flat = picture.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(words), "{words:?} is not in\n{picture}");
}

#[test]
fn the_reason_of_a_standstill_and_the_key_are_on_the_screen() {
    let failure = |kind, words| Failure::new(kind, words);
    let usd = |text: &str| text.parse().unwrap();
    for (reason, words) in [
        (PauseReason::User, "PAUSED. p resumes"),
        (
            PauseReason::ProviderRefuses {
                failure: failure(FailureKind::QuotaExhausted, "check your plan"),
            },
            "PAUSED, add credit or raise the spending limit, then r resumes: the provider \
             refuses: quota exhausted",
        ),
        (
            PauseReason::ProviderRefuses { failure: failure(FailureKind::KeyRefused, "no") },
            "PAUSED, mend the key or its rights at the provider, then r resumes: the provider \
             refuses: key refused: no",
        ),
        (
            PauseReason::Unreachable { failure: failure(FailureKind::Connection, "refused") },
            "once it answers again, r resumes: nothing can be reached: connection: refused",
        ),
        (
            PauseReason::CannotStore { message: "No space left on device".to_owned() },
            "PAUSED, 7 answers held; make room, then r resumes: cannot write the run file: No \
             space left on device",
        ),
        (
            PauseReason::BudgetSpent { spent: usd("4.99"), budget: usd("5") },
            "PAUSED, the budget is spent: $4.99 of $5.00, and the next call could go beyond \
             ($4.90 at the end). q, then",
        ),
    ] {
        for (width, height) in [(120, 40), (80, 24)] {
            let mut state = fixture::state(width, height, 200);
            let phase = RunPhase::Paused { reason: reason.clone() };
            let mut paused = Delta { phase, ..delta(&[]) };
            paused.meters.unsaved = 7;
            state.apply(Input::Update(Update::Delta(Box::new(paused))));
            says(&state, words);
        }
    }
}

#[test]
fn a_run_without_answers_for_a_minute_raises_an_alarm() {
    let mut quiet = delta(&[]);
    quiet.meters.nothing_since = Some(UnixMillis(NOW.0 - 72_000));
    for (width, height) in SIZES {
        let mut state = fixture::state(width, height, 200);
        state.apply(Input::Update(Update::Delta(Box::new(quiet.clone()))));
        says(&state, "Nothing answered for 01:12");
        let mono = drawn(&state, &fixture::look(Glyphs::ASCII, theme::MONO));
        let y = state.places.notice.y;
        assert!(mono[(2, y)].modifier.contains(Modifier::REVERSED), "loud without colours");
        if width >= 80 {
            says(&state, "since 12:02:08");
            says(&state, "last error 429 tokens: Rate limit reached");
        }
    }
}

#[test]
fn what_came_from_the_cache_is_counted_where_there_is_room() {
    let mut hits = delta(&[]);
    hits.meters.from_cache = 1_312;
    for (width, told) in [(120, true), (80, true), (60, false)] {
        let mut state = fixture::state(width, 24, 200);
        state.apply(Input::Update(Update::Delta(Box::new(hits.clone()))));
        let frame = text(&drawn(&state, &fixture::look(Glyphs::ASCII, theme::MONO)));
        assert_eq!(frame.contains("1,312 from the cache"), told, "{frame}");
    }
}

#[test]
fn an_endpoint_that_is_out_of_service_is_told_with_the_remedy_and_advice_is_not_lost() {
    let state = fixture::several(120, 40);
    says(
        &state,
        "openai-2 is OUT OF SERVICE: mend the key or its rights at the provider, then r resumes: \
         key refused: Incorrect",
    );
    let state = fixture::several(200, 60);
    says(&state, "Incorrect API key provided");
    says(&state, "binds at 97 %");
}

#[test]
fn limits_that_something_holds_down_show_what_was_set_and_who_holds_them() {
    for (width, words) in [
        (120, &["212 of 255", "set 500", "held by adaptation"][..]),
        (200, &["212 of 255 (set 500)", "held by adaptation: 429 requests"]),
        (80, &["212 of 255 (500)", "30 of 40"]),
        (60, &["212 of 255 (set 500), held by adapt"]),
    ] {
        let mut state = fixture::several(width, if width > 120 { 60 } else { 40 });
        state.apply(Input::Resized(Size { width, height: state.size.height }));
        while state.focus != Panel::Endpoints {
            state.apply(Input::Act(Action::NextPanel));
        }
        state.apply(Input::Act(Action::Open));
        if width == 60 {
            while state.focus != Panel::Rates {
                state.apply(Input::Act(Action::NextPanel));
            }
        }
        for words in words {
            says(&state, words);
        }
        if width == 120 {
            says(&state, " binds ┐");
        }
    }
}

#[test]
fn several_endpoints_and_the_history_of_their_limits() {
    for (width, height) in SIZES.into_iter().chain([(120, 30)]) {
        let look = fixture::look(Glyphs::UNICODE, theme::DEFAULT);
        let mut state = fixture::several(width, height);
        if height > 10 {
            while state.focus != Panel::Endpoints {
                state.apply(Input::Act(Action::NextPanel));
            }
            state.apply(Input::Act(Action::Open));
        }
        let picture = text(&drawn(&state, &look));
        insta::assert_snapshot!(format!("{width}x{height}_endpoints"), picture);
        state.apply(Input::Act(Action::History));
        let picture = text(&drawn(&state, &look));
        insta::assert_snapshot!(format!("{width}x{height}_history"), picture);
    }
}

#[test]
fn what_the_answers_come_to_is_shown_over_the_dashboard() {
    for (width, height) in [(120, 40), (80, 24), (60, 16)] {
        let look = fixture::look(Glyphs::UNICODE, theme::DEFAULT);
        let mut state = usual(width, height);
        state.apply(Input::Act(Action::Summary));
        assert!(text(&drawn(&state, &look)).contains("when the interviews are over"));
        let mut delta = delta(&[]);
        delta.analysis = Some(Box::new(fixture::analysis()));
        state.apply(Input::Update(crate::protocol::Update::Delta(Box::new(delta))));
        let picture = text(&drawn(&state, &look));
        // Every column, at every width.
        let row = picture.lines().find(|line| line.contains("Housing")).unwrap_or_default();
        assert!(picture.contains("5   mean") && row.contains("25 %   0 %    2.1"), "{picture}");
        insta::assert_snapshot!(format!("{width}x{height}_summary"), picture);
        state.apply(Input::Act(Action::Last));
        let end = text(&drawn(&state, &look));
        let row = end.lines().find(|line| line.contains("no bus")).unwrap_or_default();
        assert!(row.contains("45   20 %     9     9     9     9     9"), "{end}");
        assert!(end.contains("housing") && !end.contains("more below"), "{end}");
        state.apply(Input::Act(Action::Back));
        assert!(!text(&drawn(&state, &look)).contains("What the answers come to"));
    }
}

#[test]
fn money_over_the_budget_is_loud_without_colours_too() {
    let mut over = delta(&[]);
    if let Some(money) = &mut over.meters.money {
        money.projected = Some("5.30".parse().unwrap());
    }
    for (width, height) in [(120, 40), (120, 30), (80, 24)] {
        let mut state = fixture::state(width, height, 200);
        says(&state, "$1.27 of $5.00");
        state.apply(Input::Update(Update::Delta(Box::new(over.clone()))));
        let mono = drawn(&state, &fixture::look(Glyphs::ASCII, theme::MONO));
        let loud = |words: &str| {
            (0..height).any(|y| {
                let line: String = (0..width).map(|x| mono[(x, y)].symbol()).collect();
                line.find(words).is_some_and(|at| {
                    mono[(u16::try_from(at).unwrap(), y)].modifier.contains(Modifier::REVERSED)
                })
            })
        };
        assert!(loud("! $5.30 at the end") || loud("over the budget"), "{}", text(&mono));
    }
}

#[test]
fn what_became_of_an_attempt_is_in_words() {
    let mut detail = fixture::detail(41, S::Failed);
    let mut more = detail.attempts[0].clone();
    more.number = 3;
    more.stage = crate::model::Stage::Repair;
    detail.attempts[0].failure = Some(Failure::new(FailureKind::CutOff, "at 600 tokens"));
    detail.attempts[1].failure = Some(Failure::new(FailureKind::Overloaded, "try later"));
    detail.attempts[1].endpoint = crate::model::EndpointIndex(1);
    detail.attempts.push(more);
    let mut state = fixture::several(120, 60);
    state.apply(Input::Act(Action::NextFailed));
    state.apply(Input::Act(Action::Open));
    state.apply(Input::Update(Update::Detail(Box::new(detail))));
    for words in [
        "200 cut off: at 600 tokens",
        "200 with a higher output cap, overloaded: try later",
        "at azure-sweden, request",
        "200 repair call, malformed: no",
    ] {
        says(&state, words);
    }
}

#[test]
fn the_header_says_whether_limits_adapt() {
    for (width, height) in [(120, 40), (80, 24)] {
        let mut state = fixture::state(width, height, 200);
        says(&state, "adapting");
        let mut fixed = delta(&[]);
        fixed.meters.adapting = false;
        state.apply(Input::Update(Update::Delta(Box::new(fixed))));
        says(&state, "fixed limits");
    }
}

#[test]
fn the_end_is_told_with_the_way_out_and_the_way_on() {
    let end = |phase| {
        let mut state = fixture::state(80, 24, 200);
        state.apply(Input::Update(Update::Delta(Box::new(last_delta(phase)))));
        state
    };
    says(&end(RunPhase::Finished), "Finished: ");
    says(&end(RunPhase::Finished), "r asks the failed again");
    let reason = crate::model::StopReason::Asked;
    says(&end(RunPhase::Stopped { reason }), "`voxpop resume parking-minimums-7f3a` goes on");
}

#[test]
fn an_empty_panel_says_why_it_is_empty() {
    let mut snapshot = fixture::snapshot(3);
    snapshot.meters = Default::default();
    snapshot.history.clear();
    snapshot.log.clear();
    let mut state = UiState::new(Size { width: 120, height: 40 }, NOW, true);
    says(&state, "waiting for the engine");
    state.apply(Input::Update(Update::Snapshot(Box::new(snapshot))));
    for words in [
        "no attempt has failed",
        "nothing was logged yet",
        "no second of the run is over yet",
        "no answer yet",
        "cost not known",
    ] {
        says(&state, words);
    }
    state.apply(Input::Act(Action::History));
    says(&state, "no limit has changed, and adaptation is off");
}

#[test]
fn text_from_elsewhere_cannot_reach_the_terminal_as_it_is() {
    let hostile = "a\u{1b}[31mred\u{7}\u{202e}txt\u{9b}2J\r\nb 日本語 👩\u{200d}⚕";
    let mut snapshot = fixture::snapshot(200);
    snapshot.header.run = hostile.to_owned();
    snapshot.meters.endpoints[0].model = hostile.to_owned();
    snapshot.meters.failures[0].last_message = hostile.to_owned();
    snapshot.meters.endpoints = fixture::three_endpoints();
    for endpoint in &mut snapshot.meters.endpoints {
        endpoint.name = hostile.to_owned();
        endpoint.group = Some(hostile.to_owned());
    }
    let failure = Failure::new(FailureKind::KeyRefused, hostile);
    snapshot.meters.endpoints[2].service = crate::model::Service::OutOfService { failure };
    snapshot.changes = fixture::changes();
    snapshot.changes[0].reason = hostile.to_owned();
    let mut change = snapshot.changes[0].clone();
    change.endpoint = crate::model::EndpointIndex(9);
    let line = LogLine { at: NOW, level: LogLevel::Warn, text: hostile.to_owned() };
    snapshot.log.push(line.clone());
    let mut detail = fixture::detail(41, S::Failed);
    detail.persona.id = hostile.to_owned();
    detail.persona.attributes[0].value = hostile.to_owned();
    detail.system_prompt = hostile.to_owned();
    detail.user_prompt = hostile.to_owned();
    detail.refusal = Some(hostile.to_owned());
    detail.failure = Some(Failure::new(FailureKind::Malformed, hostile));
    for attempt in &mut detail.attempts {
        attempt.body = Some(hostile.to_owned());
        attempt.request_id = Some(hostile.to_owned());
        attempt.failure = Some(Failure::new(FailureKind::Malformed, hostile));
    }
    for (glyphs, ascii) in [(Glyphs::UNICODE, false), (Glyphs::ASCII, true)] {
        let look = fixture::look(glyphs, theme::DEFAULT);
        for (width, height) in SIZES {
            let mut state = UiState::new(Size { width, height }, NOW, true);
            state.apply(Input::Update(Update::Snapshot(Box::new(snapshot.clone()))));
            let mut more = delta(&[]);
            more.log.push(line.clone());
            more.meters = snapshot.meters.clone();
            more.changes.push(change.clone());
            let reason = PauseReason::CannotStore { message: hostile.to_owned() };
            more.phase = RunPhase::Paused { reason };
            state.apply(Input::Update(Update::Delta(Box::new(more))));
            state.apply(Input::Act(Action::NextFailed));
            state.apply(Input::Act(Action::Open));
            state.apply(Input::Update(Update::Detail(Box::new(detail.clone()))));
            for _ in 0..30 {
                let frame = drawn(&state, &look);
                for cell in &frame.content {
                    let symbol = cell.symbol();
                    assert!(!ascii || symbol.is_ascii(), "{symbol:?}");
                    assert!(
                        !symbol.chars().any(|c| c.is_control() || c == '\u{202e}'),
                        "{symbol:?}"
                    );
                }
                state.apply(Input::Act(Action::MoveDown));
                state.apply(Input::Act(Action::NextPanel));
            }
            state.apply(Input::Act(Action::History));
            let frame = drawn(&state, &look);
            let safe = |symbol: &str| !symbol.chars().any(|c| c.is_control() || c == '\u{202e}');
            assert!(frame.content.iter().all(|cell| safe(cell.symbol())));
        }
    }
}

#[test]
fn where_nothing_changes_no_byte_is_written() {
    let look = fixture::look(Glyphs::UNICODE, theme::DEFAULT);
    let mut state = fixture::state(120, 40, 5_000);
    let mut screen = Screen::new(state.size);
    let mut written = 0;
    let mut show = |state: &UiState| {
        let bytes = screen.compose(|frame| draw(frame, state, &look)).map_or(0, |b| b.len());
        written += bytes;
        bytes
    };
    assert!(show(&state) > 0);
    // Within one second of a run nothing moves but what the engine reports.
    for millis in (50..1_000).step_by(50) {
        state.apply(Input::Ticked(UnixMillis(NOW.0 + millis)));
        assert_eq!(show(&state), 0, "after {millis} ms");
    }
    state.apply(Input::Ticked(UnixMillis(NOW.0 + 1_000)));
    let tick = show(&state);
    assert!((1..80).contains(&tick), "a second is a digit: {tick}");
    // A run that is over shows the same for ever.
    state.apply(Input::Update(Update::Delta(Box::new(last_delta(RunPhase::Finished)))));
    show(&state);
    for hour in 1..48 {
        state.apply(Input::Ticked(UnixMillis(NOW.0 + hour * 3_600_000)));
        assert_eq!(show(&state), 0, "after {hour} h");
    }
}

#[test]
fn no_state_is_told_by_colour_alone() {
    for glyphs in [Glyphs::UNICODE, Glyphs::ASCII] {
        let look = fixture::look(glyphs, theme::MONO);
        let mut snapshot = fixture::snapshot(12);
        snapshot.statuses.0 = S::ALL.to_vec();
        let mut state = UiState::new(Size { width: 120, height: 40 }, NOW, true);
        state.apply(Input::Update(Update::Snapshot(Box::new(snapshot))));
        let frame = drawn(&state, &look);
        let cells = crate::ui::legend::split(state.places.grid, 12).0;
        let faces: std::collections::BTreeSet<String> =
            (0..12).map(|n| frame[(cells.x + n, cells.y)].symbol().to_owned()).collect();
        assert_eq!(faces.len(), S::COUNT);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_size_can_be_drawn(
        width in 0_u16..300, height in 0_u16..300, ascii in any::<bool>(), open in 0_usize..7,
        several: bool,
    ) {
        let glyphs = if ascii { Glyphs::ASCII } else { Glyphs::UNICODE };
        let look = fixture::look(glyphs, theme::DEFAULT);
        let mut state =
            if several { fixture::several(width, height) } else { usual(width, height) };
        let actions = [
            Action::Back,
            Action::Open,
            Action::Help,
            Action::Quit,
            Action::NextPanel,
            Action::History,
            Action::Summary,
        ];
        state.apply(Input::Act(actions[open]));
        let frame = drawn(&state, &look);
        prop_assert!(width < 3 || height == 0 || !text(&frame).trim().is_empty());
    }
}

#[test]
fn a_talk_at_every_size() {
    use crate::{
        model::{PersonaIndex, Turn, TurnBy, UnixMillis, Usage},
        protocol::Conversation,
    };
    let turn = |by, text: &str, usage| Turn { at: fixture::NOW, by, text: text.into(), usage };
    let usage = Usage { prompt_tokens: 1_180, completion_tokens: 64, cached_tokens: 0 };
    for (width, height) in SIZES {
        let mut state = fixture::state(width, height, 5_000);
        state.apply(Input::Update(Update::Delta(Box::new(fixture::delta(&[(7, S::Done)])))));
        state.grid.go_to(PersonaIndex(7), &state.run.as_ref().unwrap().statuses.clone());
        state.apply(Input::Act(Action::Talk));
        let conversation = Conversation {
            persona: PersonaIndex(7),
            id: "p-7".into(),
            turns: vec![
                turn(TurnBy::Asker, "Would you say the same if you had a car?", None),
                turn(
                    TurnBy::Persona,
                    "I would have to think about it. Parking is dear here.",
                    Some(usage),
                ),
                turn(TurnBy::Asker, "And your sister?", None),
                turn(TurnBy::Notice, "no answer: timeout: nothing came within 60 s", None),
                turn(TurnBy::Asker, "What would change your mind?", None),
            ],
            thinking_since: Some(UnixMillis(fixture::NOW.0 - 3_000)),
            closed: None,
        };
        state.apply(Input::Update(Update::Talk(Box::new(conversation))));
        for c in "take your time".chars() {
            state.apply(Input::Typed(c));
        }
        let frame = drawn(&state, &fixture::look(Glyphs::UNICODE, theme::DEFAULT));
        insta::assert_snapshot!(format!("{width}x{height}_talk"), text(&frame));
    }
}
