//! Whole screens against stored pictures: at five sizes, in both glyph sets, with and without
//! colours.

use super::{SIZES, drawn, text, usual};
use crate::{
    model::{InterviewStatus as S, PersonaIndex, Turn, TurnBy, UnixMillis, Usage},
    protocol::{Conversation, Update},
    ui::{
        action::Action,
        fixture::{self, NOW, delta},
        glyphs::Glyphs,
        state::{Input, Panel},
        theme,
    },
};
use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier},
};
use std::fmt::Write;

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
        state.apply(Input::Update(Update::Delta(Box::new(delta))));
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
fn a_talk_at_every_size() {
    let turn = |by, text: &str, usage| Turn { at: NOW, by, text: text.into(), usage };
    let usage = Usage { prompt_tokens: 1_180, completion_tokens: 64, cached_tokens: 0 };
    for (width, height) in SIZES {
        let mut state = fixture::state(width, height, 5_000);
        state.apply(Input::Update(Update::Delta(Box::new(delta(&[(7, S::Done)])))));
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
            thinking_since: Some(UnixMillis(NOW.0 - 3_000)),
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
