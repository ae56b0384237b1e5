//! A screen too small for panels: one line that says the most, and more under it as there is
//! room.

use super::{Look, header, progress};
use crate::{
    model::InterviewStatus as S,
    ui::{
        alerts, format,
        state::{Overlay, UiState},
        theme::Role,
        view::{counters, footer},
        widget::{Piece, line},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the line, and what fits under it.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let places = &state.places;
    line(frame, area, &summary(state, look), look);
    footer::draw_notice(frame, places.notice, state, look);
    let bar = Rect { height: 1.min(places.lower.height), ..places.lower };
    progress::draw(frame, bar, state, look);
    let rest = places.lower.height.saturating_sub(1);
    let counted = Rect { y: bar.bottom(), height: rest, ..places.lower };
    counters::draw(frame, counted, state, look);
}

fn summary(state: &UiState, look: &Look) -> Vec<Piece> {
    match &state.overlay {
        Overlay::Quit => {
            return footer::keys(look, state.context());
        }
        Overlay::Find { typed } => return vec![(Role::Text, format!("find: {typed}_"))],
        Overlay::Talk => {
            let typed = state.talk.as_ref().map_or("", |talk| talk.input.value());
            return vec![(Role::Text, format!("say: {typed}_"))];
        }
        Overlay::None
        | Overlay::Help { .. }
        | Overlay::History { .. }
        | Overlay::Summary { .. } => {}
    }
    let Some(run) = &state.run else { return vec![(Role::Dim, "voxpop starting".to_owned())] };
    let (over, total) = (u64::from(run.counts.over()), u64::from(run.total()));
    let (role, phase) = header::phase(run);
    let mut pieces = vec![
        (Role::Title, format!("{:>3} % ", format::percent(over, total))),
        match &run.meters.replay {
            Some(replay) => header::replay(replay),
            None => (role, phase.trim().to_owned()),
        },
        (Role::Text, format!(" {}/{}", format::thousands(over), format::thousands(total))),
    ];
    let failed = run.counts.get(S::Failed);
    if failed > 0 {
        let glyph = look.glyphs.status(S::Failed);
        pieces.push((Role::Failed, format!(" {glyph}{failed}")));
    }
    let alert = alerts::alert(state, &look.keys, &look.zone);
    if alert.is_some_and(|(loud, _)| loud == alerts::Loudness::Alert) {
        pieces.push((Role::Alert, " !".to_owned()));
    }
    if let Some(end) = header::ends(run, state, look, false) {
        pieces.push((Role::Text, format!(" {end}")));
    }
    pieces
}
