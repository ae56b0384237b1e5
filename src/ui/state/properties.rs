//! What holds whatever happens, in whatever order.

use super::{tests::Desk, *};
use crate::{
    model::{InterviewStatus as S, RunPhase, StatusCounts},
    ui::{
        fixture::{self, delta, last_delta, several_delta},
        glyphs::Glyphs,
        screen::Screen,
        theme, view,
    },
};
use proptest::prelude::*;

fn status() -> impl Strategy<Value = S> {
    (0..S::COUNT).prop_map(|n| S::ALL[n])
}

fn changes(total: u32) -> impl Strategy<Value = Vec<(u32, S)>> {
    proptest::collection::btree_map(0..total, status(), 0..20)
        .prop_map(|map| map.into_iter().collect())
}

#[derive(Clone, Debug)]
enum Step {
    Delta(Vec<(u32, S)>),
    Press(Action),
    Type(char),
    Resize(u16, u16),
    Tick(i64),
    End,
    Detail(u32, S),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => changes(120).prop_map(Step::Delta),
        6 => (0..Action::ALL.len()).prop_map(|n| Step::Press(Action::ALL[n])),
        1 => any::<char>().prop_map(Step::Type),
        2 => (0_u16..140, 0_u16..45).prop_map(|(w, h)| Step::Resize(w, h)),
        1 => (0_i64..100_000).prop_map(Step::Tick),
        1 => Just(Step::End),
        2 => (0_u32..120, status()).prop_map(|(n, s)| Step::Detail(n, s)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_sum_to_the_total_and_deltas_lead_to_the_final_state(
        deltas in proptest::collection::vec(changes(120), 0..20),
        freezes in proptest::collection::vec(any::<bool>(), 20),
    ) {
        let mut desk = Desk::new(120);
        let mut truth = fixture::statuses(120);
        for (changes, freeze) in deltas.iter().zip(freezes) {
            for &(n, status) in changes {
                truth[n as usize] = status;
            }
            if freeze {
                desk.press(Action::Freeze);
            }
            desk.delta(delta(changes));
            let run = desk.state.run.as_ref().unwrap();
            prop_assert_eq!(run.counts.total(), 120);
            prop_assert_eq!(run.counts, StatusCounts::of(&run.statuses));
        }
        if desk.state.frozen.is_some() {
            desk.press(Action::Freeze);
        }
        prop_assert_eq!(&desk.state.run.as_ref().unwrap().statuses, &truth);
    }

    #[test]
    fn nothing_that_happens_breaks_the_state_or_the_drawing(
        steps in proptest::collection::vec(step(), 0..60),
        ascii in any::<bool>(),
        several in any::<bool>(),
    ) {
        let look = fixture::look(
            if ascii { Glyphs::ASCII } else { Glyphs::UNICODE },
            theme::DEFAULT,
        );
        let mut desk =
            if several { Desk::of(fixture::several(120, 40)) } else { Desk::new(120) };
        for step in steps {
            match step {
                // Every other delta is of a run with three endpoints, which may come and go.
                Step::Delta(changes) if changes.len() % 2 == 0 => desk.delta(Delta {
                    statuses: delta(&changes).statuses,
                    changes: fixture::changes(),
                    ..several_delta()
                }),
                Step::Delta(changes) => desk.delta(delta(&changes)),
                Step::Press(action) => desk.press(action),
                Step::Type(c) => desk.apply(Input::Typed(c)),
                Step::Resize(width, height) => {
                    desk.apply(Input::Resized(Size { width, height }))
                }
                Step::Tick(millis) => desk.after(millis),
                Step::End => desk.delta(last_delta(RunPhase::Finished)),
                Step::Detail(n, status) => {
                    desk.update(Update::Detail(Box::new(fixture::detail(n, status))))
                }
            };
            let state = &desk.state;
            Screen::new(state.size).compose(|frame| view::draw(frame, state, &look));
        }
    }
}
