//! All keys, from the key table, and what the cells of the grid mean.

use super::Look;
use crate::{
    model::InterviewStatus,
    ui::{
        keymap::Context,
        layout::centered,
        state::WORST_FIRST,
        text,
        theme::Role,
        widget::{Piece, boxed, clear, line, row},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

/// Cells for the keys of a line.
const KEYS: usize = 14;
/// Cells for one column of the help.
const COLUMN: u16 = 59;

/// Draws the help over what is there.
pub fn draw(frame: &mut Buffer, area: Rect, scroll: usize, look: &Look) {
    // On a narrow screen the first key has to do.
    let lines = lines(if area.width < COLUMN { KEYS / 2 } else { KEYS }, look);
    let columns = ((area.width.saturating_sub(2)) / COLUMN).clamp(1, 2);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).div_ceil(columns);
    let width = if columns == 1 { area.width.min(COLUMN + 4) } else { columns * COLUMN + 2 };
    let area = centered(area, width, height.saturating_add(2));
    clear(frame, area);
    let title = [(Role::Title, "Help".to_owned())];
    let rows = usize::from(area.height.saturating_sub(2));
    let most = lines.len().saturating_sub(rows * usize::from(columns));
    let scroll = scroll.min(most);
    let mut right = Vec::new();
    if most > 0 {
        right.push((Role::Dim, format!("{} more below", most - scroll)));
    }
    let inner = boxed(frame, area, &title, &right, true, look);
    let width = inner.width / columns;
    for (n, pieces) in lines.iter().skip(scroll).take(rows * usize::from(columns)).enumerate() {
        let column = u16::try_from(n / rows.max(1)).unwrap_or(0);
        let place = row(inner, u16::try_from(n % rows.max(1)).unwrap_or(0));
        line(frame, Rect { x: inner.x + column * width, width, ..place }, pieces, look);
    }
}

fn lines(keys: usize, look: &Look) -> Vec<Vec<Piece>> {
    let mut lines = Vec::new();
    for context in Context::ALL {
        // A run that can be steered has no keys of a replay.
        if look.keys.section(context).next().is_none() {
            continue;
        }
        lines.push(vec![(Role::Title, context.to_string())]);
        for binding in look.keys.section(context) {
            let keys = text::pad(&binding.keys(), keys, look.glyphs.ellipsis);
            lines.push(vec![(Role::Key, format!(" {keys} ")), (Role::Text, binding.desc.clone())]);
        }
    }
    lines.push(vec![(Role::Title, "Cells: of several personas the uppermost shows".to_owned())]);
    let at_rest = [
        InterviewStatus::Queued,
        InterviewStatus::Flagged,
        InterviewStatus::Done,
        InterviewStatus::Cached,
    ];
    for status in WORST_FIRST.into_iter().chain(at_rest) {
        lines.push(vec![
            (Role::of(status), format!(" {} ", look.glyphs.status(status))),
            (Role::Text, status.label().to_owned()),
        ]);
    }
    let shades: String = look.glyphs.shades.iter().collect();
    lines.push(vec![
        (Role::Done, format!(" {shades} ")),
        (Role::Text, "a bucket partly done".to_owned()),
    ]);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{glyphs::Glyphs, keymap::Keymap, theme::Theme};
    use jiff::tz::TimeZone;

    #[test]
    fn the_help_lists_every_key_and_every_status() {
        let look = Look {
            theme: Theme::built_in(crate::ui::theme::DEFAULT).unwrap(),
            glyphs: Glyphs::ASCII,
            keys: Keymap::built_in().unwrap(),
            zone: TimeZone::UTC,
        };
        let text: Vec<String> = lines(KEYS, &look)
            .iter()
            .map(|pieces| pieces.iter().map(|(_, words)| words.as_str()).collect())
            .collect();
        for context in Context::ALL {
            for binding in look.keys.section(context) {
                let listed = |line: &&String| line.contains(&binding.desc);
                assert!(text.iter().any(|line| listed(&line)), "{}", binding.desc);
            }
        }
        for (line, pieces) in text.iter().zip(lines(KEYS, &look)) {
            assert!(text::width(line) < usize::from(COLUMN), "cut: {line}");
            assert!(pieces.iter().all(|(_, words)| !words.contains(look.glyphs.ellipsis)));
        }
        for status in InterviewStatus::ALL {
            assert!(text.iter().any(|line| line.contains(status.label())));
        }
    }
}
