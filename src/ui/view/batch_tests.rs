//! Pictures of a run through the Batch API.

use super::tests::{drawn, text};
use crate::{
    model::{BatchCounts, BatchState, InterviewStatus as S, UnixMillis},
    protocol::{BatchMeter, BatchMeters, BatchStanding, Delta, Order, Update},
    ui::{
        action::Action,
        fixture::{self, NOW, delta},
        glyphs::Glyphs,
        state::{Effect, Input, UiState},
        theme,
    },
};

fn batch(number: u32, standing: BatchStanding, lines: u32, completed: u64) -> BatchMeter {
    let failed = if number == 2 { 17 } else { 0 };
    BatchMeter {
        number,
        standing,
        lines,
        counts: BatchCounts { total: u64::from(lines), completed, failed },
        tokens: u64::from(lines) * 900,
        made_at: UnixMillis(NOW.0 - 3_723_000),
        over_at: standing.is_over().then_some(UnixMillis(NOW.0 - 60_000)),
        note: (number == 4)
            .then(|| "the provider has no room for it now; again in 15 s".to_owned()),
    }
}

/// A run whose personas are in batches.
fn in_batches(width: u16, height: u16) -> UiState {
    let mut state = fixture::state(width, height, 5_000);
    let under_way = |status: &S| !status.is_over();
    let statuses = (0..).zip(fixture::statuses(5_000));
    let statuses: Vec<_> =
        (statuses.filter(|(_, status)| under_way(status))).map(|(n, _)| (n, S::InBatch)).collect();
    let mut delta: Delta = delta(&statuses);
    delta.meters.remaining = None;
    delta.meters.batches = BatchMeters {
        on: true,
        shown: vec![
            batch(1, BatchStanding::Read, 5_000, 4_983),
            batch(2, BatchStanding::AtProvider(BatchState::InProgress), 2_000, 640),
            batch(3, BatchStanding::AtProvider(BatchState::Validating), 1_200, 0),
            batch(4, BatchStanding::Uploaded, 450, 0),
        ],
    };
    state.apply(Input::Update(Update::Delta(Box::new(delta))));
    state
}

#[test]
fn batches_stand_in_the_place_of_the_rates() {
    for (width, height) in [(120, 40), (80, 24), (60, 16), (40, 10)] {
        let mut state = in_batches(width, height);
        if height == 16 {
            state.apply(Input::Act(Action::NextPanel));
        }
        let picture = text(&drawn(&state, &fixture::look(Glyphs::UNICODE, theme::DEFAULT)));
        insta::assert_snapshot!(format!("{width}x{height}_batches"), picture);
    }
    let mut state = in_batches(120, 40);
    state.apply(Input::Act(Action::Quit));
    let look = fixture::look(Glyphs::ASCII, theme::MONO);
    let picture = text(&drawn(&state, &look));
    assert!(picture.contains("Cancel the batches, then stop"), "{picture}");
    let mut usual = fixture::state(120, 40, 5_000);
    usual.apply(Input::Act(Action::Quit));
    assert!(!text(&drawn(&usual, &look)).contains("Cancel the batches"));
}

#[test]
fn keys_move_the_run_and_cancel_what_is_under_way() {
    let sent = |state: &mut UiState, action| match &state.apply(Input::Act(action))[..] {
        [Effect::Send(order)] => order.clone(),
        other => panic!("{other:?}"),
    };
    let mut state = in_batches(120, 40);
    assert_eq!(sent(&mut state, Action::ToggleBatch), Order::SetBatch { on: false });
    assert_eq!(sent(&mut state, Action::ToggleBatch), Order::SetBatch { on: true });
    state.apply(Input::Act(Action::Quit));
    assert_eq!(sent(&mut state, Action::CancelBatches), Order::CancelBatches);
    let mut usual = fixture::state(120, 40, 5_000);
    assert_eq!(sent(&mut usual, Action::ToggleBatch), Order::SetBatch { on: true });
}
