//! What holds on every screen, whatever is shown: text from elsewhere does no harm, no byte is
//! written for nothing, no state is told by colour alone, and every size can be drawn.

use super::{SIZES, drawn, text, usual};
use crate::{
    model::{
        EndpointIndex, Failure, FailureKind, InterviewStatus as S, LogLevel, LogLine, PauseReason,
        RunPhase, Service, UnixMillis,
    },
    protocol::Update,
    ui::{
        action::Action,
        fixture::{self, NOW, delta, last_delta},
        glyphs::Glyphs,
        legend,
        screen::Screen,
        state::{Input, UiState},
        theme,
        view::draw,
    },
};
use proptest::prelude::*;
use ratatui::layout::Size;
use std::collections::BTreeSet;

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
    snapshot.meters.endpoints[2].service = Service::OutOfService { failure };
    snapshot.changes = fixture::changes();
    snapshot.changes[0].reason = hostile.to_owned();
    let mut change = snapshot.changes[0].clone();
    change.endpoint = EndpointIndex(9);
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
        let cells = legend::split(state.places.grid, 12).0;
        let faces: BTreeSet<String> =
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
