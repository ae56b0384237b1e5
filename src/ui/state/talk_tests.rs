//! The talk, key by key.

use super::{Effect, Input, Overlay, UiState, tests::Desk};
use crate::{
    model::{InterviewStatus as S, PersonaIndex, Turn, TurnBy, UnixMillis},
    protocol::{CommandOutcome, Conversation, Order, Update},
    ui::{action::Action, fixture::NOW},
};

const WHO: PersonaIndex = PersonaIndex(0);

fn turn(by: TurnBy, text: &str) -> Turn {
    Turn { at: NOW, by, text: text.to_owned(), usage: None }
}

fn conversation(turns: Vec<Turn>, thinking_since: Option<UnixMillis>) -> Update {
    let conversation =
        Conversation { persona: WHO, id: "p0".into(), turns, thinking_since, closed: None };
    Update::Talk(Box::new(conversation))
}

/// A desk that looks at somebody who is done.
fn desk() -> Desk {
    let mut desk = Desk::new(5_000);
    desk.delta(crate::ui::fixture::delta(&[(WHO.0, S::Done)]));
    desk.state.go_to(WHO);
    desk
}

fn typed(desk: &mut Desk, text: &str) {
    for c in text.chars() {
        desk.apply(Input::Typed(c));
    }
}

fn input(state: &UiState) -> &str {
    state.talk.as_ref().unwrap().input.value()
}

#[test]
fn what_is_typed_is_said_once_and_comes_back_where_it_was_refused() {
    let mut desk = desk();
    let effects = desk.press(Action::Talk);
    assert!(effects.contains(&Effect::Send(Order::OpenTalk { persona: WHO })), "{effects:?}");
    typed(&mut desk, "why?");
    assert_eq!(desk.press(Action::Open), [], "nothing is said before the talk is there");
    desk.update(conversation(Vec::new(), None));
    desk.press(Action::Erase);
    let said = Order::Say { persona: WHO, text: "why".into() };
    assert_eq!(desk.press(Action::Open), [Effect::Send(said)]);
    assert_eq!(input(&desk.state), "");
    desk.outcome(CommandOutcome::Refused { why: "the run is paused".into() });
    assert_eq!(input(&desk.state), "why");
    assert_eq!(desk.state.talk.as_ref().unwrap().refused.as_deref(), Some("the run is paused"));

    desk.press(Action::Open);
    desk.update(conversation(vec![turn(TurnBy::Asker, "why")], Some(NOW)));
    assert!(desk.state.ticks(), "the time of thinking goes on");
    typed(&mut desk, "more");
    assert_eq!(desk.press(Action::Open), [], "one at a time");
    desk.update(conversation(
        vec![turn(TurnBy::Asker, "why"), turn(TurnBy::Persona, "so\u{1b}[2J")],
        None,
    ));
    let talk = desk.state.talk.as_ref().unwrap();
    assert_eq!(talk.conversation.as_ref().unwrap().turns[1].text, "so[2J");
    assert_eq!(input(&desk.state), "more");
    let effects = desk.press(Action::Back);
    assert!(effects.contains(&Effect::Send(Order::CloseTalk { persona: WHO })), "{effects:?}");
    assert_eq!(desk.state.overlay, Overlay::None);
}

#[test]
fn nobody_is_talked_with_who_has_not_answered() {
    let mut desk = desk();
    desk.delta(crate::ui::fixture::delta(&[(WHO.0, S::Queued)]));
    assert!(
        !desk.press(Action::Talk).iter().any(|e| matches!(e, Effect::Send(Order::OpenTalk { .. })))
    );
    assert!(desk.notice().contains("it is queued"), "{}", desk.notice());
    assert_eq!(desk.state.overlay, Overlay::None);
}

#[test]
fn a_talk_scrolls_within_its_lines() {
    let mut desk = desk();
    desk.press(Action::Talk);
    let turns = (0..60).map(|n| turn(TurnBy::Asker, &format!("line {n}"))).collect();
    desk.update(conversation(turns, None));
    for _ in 0..100 {
        desk.press(Action::PageUp);
    }
    let back = |desk: &Desk| desk.state.talk.as_ref().unwrap().back;
    // 60 turns of two lines with a blank one between them.
    let room = usize::from(desk.state.places.talk().height) - 4;
    assert_eq!(back(&desk), 179 - room);
    desk.press(Action::MoveDown);
    assert_eq!(back(&desk), 178 - room);
}
