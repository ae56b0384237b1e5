//! The batches of a run, a line each, in the place of the rates: while the calls go out in batches
//! nobody is asked by the minute.

use super::Look;
use crate::{
    advice::{self, BatchLoad},
    model::UnixMillis,
    protocol::{BatchMeter, BatchStanding},
    ui::{
        format,
        state::{Mirror, UiState},
        text,
        theme::Role,
        widget::{Piece, boxed, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let title = vec![(Role::Title, "Batches".to_owned())];
    let Some(run) = &state.run else {
        boxed(frame, area, &title, &[], false, look);
        return;
    };
    let load = BatchLoad::of(&run.meters.batches);
    let done =
        format!("{} of {} done", format::thousands(load.done), format::thousands(load.calls));
    let right = vec![(Role::Text, done)];
    let inner = boxed(frame, area, &title, &right, false, look);
    let head = format!(" {:>3} {:<11} {:>13} {:>6} {:>8}", "", "state", "done", "failed", "age");
    let head = [(Role::Dim, head), (Role::Dim, format!(" {:>10}", "tokens"))];
    line(frame, row(inner, 0), &head, look);
    // Those under way first, and of those that are over the last.
    let shown = &run.meters.batches.shown;
    let open = shown.iter().filter(|batch| !batch.standing.is_over());
    let over = shown.iter().rev().filter(|batch| batch.standing.is_over());
    let room = usize::from(inner.height.saturating_sub(1));
    for (batch, n) in open.chain(over).take(room).zip(1_u16..) {
        line(frame, row(inner, n), &entry(batch, state.now()), look);
    }
    if shown.is_empty() {
        let words = "the files of the first batches are being written";
        line(frame, row(inner, 1), &[(Role::Dim, words.to_owned())], look);
    }
}

/// Draws what the strip of the rates would have room for: one line about all batches, and one about
/// the latest that is under way.
pub fn draw_strip(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let Some(run) = &state.run else { return };
    let load = BatchLoad::of(&run.meters.batches);
    let all = vec![(Role::Title, " Batches  ".to_owned()), (Role::Text, load.words())];
    line(frame, row(area, 0), &all, look);
    if let Some(batch) = run.meters.batches.open().last() {
        line(frame, row(area, 1), &entry(batch, state.now()), look);
    }
    let mut cost = vec![(Role::Dim, " Cost     ".to_owned())];
    cost.extend(super::latency::cost(run));
    line(frame, row(area, 2), &cost, look);
}

/// Whether batches stand in the place of the rates.
pub fn instead_of_rates(state: &UiState) -> bool {
    state.run.as_ref().is_some_and(Mirror::in_batches)
}

fn entry(batch: &BatchMeter, now: UnixMillis) -> Vec<Piece> {
    let number = |number: u64| format::thousands(number);
    let until = batch.over_at.unwrap_or(now);
    let failed = batch.counts.failed;
    let done = format!("{}/{}", number(batch.counts.completed), number(u64::from(batch.lines)));
    let failed_role = if failed > 0 { Role::Failed } else { Role::Dim };
    let mut pieces = vec![
        (Role::Dim, format!(" {:>3} ", batch.number)),
        (role(batch.standing), text::pad(&words(batch.standing), 11, "")),
        (Role::Text, format!(" {done:>13}")),
        (failed_role, format!(" {:>6}", number(failed))),
        (Role::Dim, format!(" {:>8}", format::short_clock(until.since(batch.made_at)))),
        (Role::Dim, format!(" {:>10}", number(batch.tokens))),
    ];
    if let Some(note) = &batch.note {
        pieces.push((Role::Warning, format!("  {}", advice::one_line(note))));
    }
    pieces
}

fn words(standing: BatchStanding) -> String {
    standing.as_str().replace('_', " ")
}

const fn role(standing: BatchStanding) -> Role {
    match standing {
        BatchStanding::Written | BatchStanding::Uploaded | BatchStanding::Creating => Role::Waiting,
        BatchStanding::AtProvider(_) => Role::InBatch,
        BatchStanding::Read => Role::Good,
        BatchStanding::Refused | BatchStanding::Lost => Role::Bad,
        BatchStanding::NotCreated => Role::Dim,
    }
}
