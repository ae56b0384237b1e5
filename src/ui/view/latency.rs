//! How long answers take, and what they have cost so far, in money and in tokens.

use super::Look;
use crate::{
    advice::Cost,
    ui::{
        format,
        state::{Mirror, UiState},
        theme::Role,
        widget::{Piece, boxed, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the panel.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let title = vec![(Role::Title, "Latency".to_owned())];
    let Some(run) = &state.run else {
        boxed(frame, area, &title, &[], false, look);
        return;
    };
    // Where the panel has but one line, the money takes the place of what can be told from it.
    let one_line = area.height <= 3;
    let money = run.meters.money.map(|money| Cost::of(&money));
    let right = match &money {
        Some(cost) if cost.over_budget => vec![(Role::Alert, " over the budget ".to_owned())],
        Some(cost) if one_line => vec![(Role::Text, cost.spent.clone())],
        _ => {
            let count = format::thousands(run.meters.latency.count);
            vec![(Role::Text, format!("{count} answers"))]
        }
    };
    let inner = boxed(frame, area, &title, &right, false, look);
    line(frame, row(inner, 0), &quantiles(run, 2), look);
    let mut cost = cost(run);
    cost.insert(0, (Role::Dim, "cost   ".to_owned()));
    // Of two lines the second is for what there is to say.
    let (second, third) = match &money {
        None => (tokens(run), cost),
        Some(_) => (cost, tokens(run)),
    };
    line(frame, row(inner, 1), &second, look);
    line(frame, row(inner, 2), &third, look);
}

/// `$1.27 of $5.00, $5.30 at the end`, with an alert where that is over the budget.
pub fn cost(run: &Mirror) -> Vec<Piece> {
    let Some(money) = &run.meters.money else {
        let why = match run.meters.endpoints.as_slice() {
            [] => "not known",
            _ if run.meters.replay.is_some() => "not on record",
            _ => "not known: an endpoint has no price",
        };
        return vec![(Role::Dim, why.to_owned())];
    };
    let cost = Cost::of(money);
    let mut pieces = vec![(Role::Text, cost.spent)];
    if let Some(end) = cost.end {
        pieces.push((Role::Text, ", ".to_owned()));
        pieces.push(if cost.over_budget {
            (Role::Alert, format!("! {end}"))
        } else {
            (Role::Text, end)
        });
    }
    pieces
}

/// p50, p90 and p99 in one unit, with so many blanks between them.
pub fn quantiles(run: &Mirror, gap: usize) -> Vec<Piece> {
    let latency = run.meters.latency;
    if latency.count == 0 {
        return vec![(Role::Dim, "no answer yet".to_owned())];
    }
    let unit = format::Unit::for_up_to(latency.p99);
    let gap = " ".repeat(gap);
    let mut pieces: Vec<Piece> = [("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99)]
        .into_iter()
        .flat_map(|(name, time)| {
            let name = (Role::Dim, format!("{name} "));
            [name, (Role::Text, format!("{:>3}{gap}", unit.number(time)))]
        })
        .collect();
    if let Some((_, last)) = pieces.last_mut() {
        last.truncate(last.trim_end().len());
    }
    pieces.push((Role::Dim, format!(" {}", unit.name())));
    pieces
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn tokens(run: &Mirror) -> Vec<Piece> {
    let tokens = run.meters.tokens;
    let compact = |n: u64| format::compact(n as f64);
    let mut pieces = vec![
        (Role::Dim, "tokens ".to_owned()),
        (Role::Text, format!("{} in", compact(tokens.prompt))),
    ];
    if tokens.cached > 0 {
        pieces.push((Role::Dim, format!(" ({} cached)", compact(tokens.cached))));
    }
    pieces.push((Role::Text, format!(", {} out", compact(tokens.completion))));
    pieces
}
