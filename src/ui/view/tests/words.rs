//! What must be readable on the screen when: why a run stands still and which key helps, alarms,
//! money, limits that something holds down, the end.

use super::{SIZES, drawn, text};
use crate::{
    model::{
        EndpointIndex, Failure, FailureKind, InterviewStatus as S, PauseReason, RunPhase, Stage,
        StopReason, UnixMillis,
    },
    protocol::{Delta, Update},
    ui::{
        action::Action,
        fixture::{self, NOW, delta, last_delta},
        glyphs::Glyphs,
        state::{Input, Panel, UiState},
        theme,
    },
};
use ratatui::{layout::Size, style::Modifier};

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
    more.stage = Stage::Repair;
    detail.attempts[0].failure = Some(Failure::new(FailureKind::CutOff, "at 600 tokens"));
    detail.attempts[1].failure = Some(Failure::new(FailureKind::Overloaded, "try later"));
    detail.attempts[1].endpoint = EndpointIndex(1);
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
    let reason = StopReason::Asked;
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
