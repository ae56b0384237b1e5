//! The second line: how far the run is, as a bar in the colours of the grid.

use super::Look;
use crate::{
    model::InterviewStatus as S,
    ui::{
        action::Action,
        format,
        state::UiState,
        text,
        theme::Role,
        widget::{line, segments},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// From this width on there is room for where answers came from.
const ROOMY: u16 = 80;

/// Draws the line.
pub fn draw(frame: &mut Buffer, area: Rect, state: &UiState, look: &Look) {
    let Some(run) = &state.run else { return };
    let (over, total) = (u64::from(run.counts.over()), u64::from(run.total()));
    let all = format::thousands(total);
    let head = format!(
        " {:>width$} of {all} {:>4} % ",
        format::thousands(over),
        format::fine_percent(over, total),
        width = all.len()
    );
    let mut pieces = vec![(Role::Title, head)];
    if run.meters.from_cache > 0 && area.width >= ROOMY {
        let calls = format::thousands(run.meters.from_cache);
        pieces.push((Role::Cached, format!(" {calls} from the cache ")));
    }
    let used = line(frame, area, &pieces, look);
    let pace = format!(" {:>6}/min ", format::compact(run.meters.finished_per_minute));
    let (pace, shown) = match run.meters.analysis {
        // Everybody has been asked: what goes on is the summary.
        Some(meter) if over == total && !run.ended() => {
            (format!(" summing up {} of {} ", meter.done, meter.total), true)
        }
        _ if run.analysis.is_some() && run.ended() => {
            (format!(" {} summary ", look.keys.name(Action::Summary)), true)
        }
        _ => (pace, !run.ended()),
    };
    let tail = u16::try_from(text::width(&pace)).unwrap_or(0);
    let show_pace = area.width > used + tail + 20 && shown;
    let tail = if show_pace { tail } else { 1 };
    if show_pace {
        let place = Rect { x: area.right() - tail, width: tail, ..area };
        line(frame, place, &[(Role::Text, pace)], look);
    }
    let width = area.width.saturating_sub(used + tail);
    let bar = Rect { x: area.x + used.min(area.width), width, ..area };
    let (failed, refused) = (run.counts.get(S::Failed), run.counts.get(S::Refused));
    let cells = |part| share(part, run.total(), width);
    let (failed, refused) = (cells(failed), cells(refused));
    // What is over is never shown shorter than it is for want of whole cells.
    let done = cells(run.counts.over()).saturating_sub(failed + refused);
    let full = look.glyphs.bar_full;
    let glyph = |status| look.glyphs.status(status);
    segments(
        frame,
        bar,
        &[
            (failed, Role::Failed, glyph(S::Failed)),
            (refused, Role::Refused, glyph(S::Refused)),
            (done, Role::Done, full),
            (cells(run.counts.get(S::InFlight)), Role::InFlight, glyph(S::InFlight)),
        ],
        look,
    );
}

/// Cells for so many personas; somebody is never nothing.
fn share(part: u32, total: u32, width: u16) -> u16 {
    if part == 0 || total == 0 {
        return 0;
    }
    let cells = u64::from(part) * u64::from(width) / u64::from(total);
    u16::try_from(cells).unwrap_or(width).max(1)
}
