//! A replay on the dashboard: it is steered itself, and steers nothing.

use super::{tests::Desk, *};
use crate::{
    model::{InterviewStatus as S, RunPhase, StopReason},
    protocol::{Replay, ReplayState},
    ui::{
        fixture::{self, NOW, delta, snapshot},
        keymap::{Context, Keymap},
    },
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

const THEN: UnixMillis = UnixMillis(1_600_000_000_000);

fn replay(state: ReplayState) -> Option<Replay> {
    Some(Replay { at: THEN, speed: "20x".parse().unwrap(), state, left_out: None })
}

fn played(phase: RunPhase, state: ReplayState) -> Delta {
    let mut delta = delta(&[(3, S::Done)]);
    delta.phase = phase;
    delta.meters.replay = replay(state);
    delta.meters.nothing_since = Some(THEN);
    delta
}

/// Where the replay has just begun.
fn desk() -> Desk {
    let mut state = fixture::state(120, 40, 200);
    state.run = None;
    state.attachment = Attachment::Replay;
    state.verdict = Verdict::default();
    let mut desk = Desk::of(state);
    let mut begun = snapshot(200);
    begun.meters.replay = replay(ReplayState::Playing);
    desk.update(Update::Snapshot(Box::new(begun)));
    desk
}

#[test]
fn its_keys_are_those_of_a_replay() {
    let mut desk = desk();
    assert_eq!(desk.state.context(), Context::Replay);
    assert_eq!(desk.press(Action::TogglePause), [Effect::Send(Order::Pause)]);
    let slower = Order::ChangeSpeed { faster: false };
    assert_eq!(desk.press(Action::Slower), [Effect::Send(slower)]);
    assert_eq!(desk.press(Action::Quit), [Effect::Leave(Exit::Left)]);
    assert_eq!(desk.apply(Input::AskedToStop), [Effect::Leave(Exit::Left)]);
    let keys = Keymap::built_in().unwrap().of_a_replay();
    let plus = KeyEvent::new(KeyCode::Char('+'), KeyModifiers::NONE);
    for context in [Context::Replay, Context::Inspector] {
        assert_eq!(keys.action(context, plus), Some(Action::Faster), "{context}");
    }
    // What steers a run, or asks somebody something, is not offered.
    for key in ['r', 'b', 'c', 'a'] {
        let key = KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE);
        for context in [Context::Replay, Context::Inspector] {
            assert_eq!(keys.action(context, key), None, "{key:?}");
        }
    }
    for context in [Context::Quit, Context::Talk] {
        assert!(keys.section(context).next().is_none(), "{context}");
    }
    assert!(Keymap::built_in().unwrap().of_a_run().section(Context::Replay).next().is_none());
}

#[test]
fn it_shows_the_time_of_the_run_and_calls_nobody() {
    let mut desk = desk();
    let stopped = RunPhase::Stopped { reason: StopReason::Asked };
    for phase in [RunPhase::Running, stopped, RunPhase::Finished, RunPhase::Running] {
        assert_eq!(desk.delta(played(phase, ReplayState::Playing)), []);
        assert!(!desk.state.ended(), "more is to come");
    }
    assert_eq!(desk.state.now(), THEN);
    assert!(desk.state.now() < NOW);
    let run = desk.state.run.as_ref().unwrap();
    assert_eq!(run.elapsed(UnixMillis(NOW.0 + 60_000)), run.meters.elapsed, "it says it itself");
    assert_eq!(desk.state.verdict.words(&Keymap::built_in().unwrap()), "");
    assert_eq!(desk.delta(played(RunPhase::Finished, ReplayState::Over)), []);
    assert!(desk.state.ended());
}

#[test]
fn what_the_answers_come_to_is_shown_at_its_end_and_not_denied_before() {
    let mut desk = desk();
    let words = |desk: &Desk| {
        let lines = crate::ui::synopsis::lines(desk.state.run.as_ref().unwrap(), 200, "...");
        lines.concat().into_iter().map(|(_, words)| words + "\n").collect::<String>()
    };
    let said = words(&desk);
    assert!(said.contains("Not on record while the replay plays"), "{said}");
    assert!(!said.contains("n = ") && !said.contains("summarize"), "{said}");
    let mut over = played(RunPhase::Finished, ReplayState::Over);
    over.analysis = Some(Box::new(fixture::analysis()));
    desk.delta(over);
    let said = words(&desk);
    assert!(said.contains("n = ") && said.contains("Main themes"), "{said}");
}
