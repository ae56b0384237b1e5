//! Text in 80 columns: paragraphs, tables, spans of time and amounts of money.

use crate::{
    model::{Usd, strip_controls},
    ui::{
        format::thousands,
        text::{width, wrap},
    },
};
use std::time::Duration;

/// How wide a page is.
pub(super) const COLUMNS: usize = 80;

/// What stands between columns.
const GAP: &str = "  ";

/// A text after a mark, wrapped, its further lines under its first.
pub(super) fn paragraph(text: &str, mark: &str) -> String {
    let indent = mark.len();
    let mut lines = String::new();
    for (n, line) in wrap(&strip_controls(text), COLUMNS - indent).iter().enumerate() {
        let before = if n == 0 { mark } else { "" };
        lines += &format!("{before:indent$}{line}\n");
    }
    lines
}

#[derive(Clone, Copy)]
pub(super) enum Side {
    Left,
    Right,
}

/// Columns as wide as they must be.
pub(super) fn table<const N: usize>(rows: &[[String; N]], sides: [Side; N]) -> String {
    let widths = widths(rows);
    let mut text = String::new();
    for row in rows {
        let cells: [String; N] = std::array::from_fn(|n| {
            let blanks = " ".repeat(widths[n] - width(&row[n]));
            match sides[n] {
                Side::Left => format!("{}{blanks}", row[n]),
                Side::Right => format!("{blanks}{}", row[n]),
            }
        });
        text += cells.join(GAP).trim_end();
        text.push('\n');
    }
    text
}

/// How many columns are left for the first cell of each row.
pub(super) fn room_for_first<const N: usize>(rows: &[[String; N]]) -> usize {
    let others: usize = widths(rows).iter().skip(1).map(|width| width + GAP.len()).sum();
    COLUMNS.saturating_sub(others)
}

fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    std::array::from_fn(|n| rows.iter().map(|row| width(&row[n])).max().unwrap_or(0))
}

/// A span of time in its two largest units: `1 h 12 min`.
pub(super) fn span(time: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    if time < Duration::from_secs(10) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    let largest = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[largest];
    let Some((next, next_name)) = UNITS.get(largest + 1) else {
        return format!("{seconds} {name}");
    };
    // Rounded to the smaller unit, which may complete a larger one.
    let rounded = (seconds + next / 2) / next * next;
    if rounded != seconds {
        return span(Duration::from_secs(rounded));
    }
    match seconds % unit / next {
        0 => format!("{} {name}", thousands(seconds / unit)),
        rest => format!("{} {name} {rest} {next_name}", thousands(seconds / unit)),
    }
}

/// An amount of money that is no longer than it need be: `$0.034`, `$1.27`, `$12,346`.
pub(super) fn money(amount: Usd) -> String {
    const THOUSAND: f64 = 1_000.0;
    let dollars = amount.dollars();
    if dollars < THOUSAND {
        return amount.to_string();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "18 million at the most"
    )]
    let whole = dollars.round() as u64;
    format!("${}", thousands(whole))
}

/// `low to high`, or one of them where both read the same.
pub(super) fn range(low: String, high: String) -> String {
    if low == high { high } else { format!("{low} to {high}") }
}

/// `a`, `a and b`, `a, b and c`, `a, b, c and 5 more`.
pub(super) fn names(all: impl IntoIterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let mut all: Vec<_> = all.into_iter().collect();
    let last = match all.len() {
        0..=1 => return all.concat(),
        many if many <= SHOWN + 1 => all.pop().unwrap_or_default(),
        many => format!("{} more", many - SHOWN),
    };
    all.truncate(SHOWN);
    format!("{} and {last}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{Side::*, *};

    #[test]
    fn a_time_is_told_in_two_units() {
        for (millis, text) in [
            (0, "0.0 s"),
            (4_666, "4.7 s"),
            (12_400, "12 s"),
            (59_700, "1 min"),
            (150_000, "2 min 30 s"),
            (3_599_000, "59 min 59 s"),
            (3_600_000, "1 h"),
            (4_329_000, "1 h 12 min"),
            (86_399_000, "1 d"),
            (273_600_000, "3 d 4 h"),
            (28_857_600_000_000, "334,000 d"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text, "{millis}");
        }
    }

    #[test]
    fn money_keeps_its_digits() {
        for (amount, text) in [
            ("0.00421", "$0.0042"),
            ("0.25", "$0.25"),
            ("12.345", "$12.35"),
            ("999.99", "$999.99"),
            ("12345.6", "$12,346"),
        ] {
            assert_eq!(money(amount.parse().unwrap()), text);
        }
    }

    #[test]
    fn numbers_stand_under_each_other() {
        let rows = [["", "n"], ["a", "10,000"], ["long", "7"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, [Left, Right]), "           n\na     10,000\nlong       7\n");
        assert_eq!(room_for_first(&rows), 72);
    }

    #[test]
    fn a_list_of_names_is_short() {
        for (all, text) in [
            (&["a"][..], "a"),
            (&["a", "b"], "a and b"),
            (&["a", "b", "c", "d"], "a, b, c and d"),
            (&["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
        ] {
            assert_eq!(names(all.iter().map(|&name| name.to_owned())), text);
        }
    }

    #[test]
    fn a_paragraph_keeps_to_the_page() {
        let text = paragraph(&"word ".repeat(40), "- ");
        assert!(text.lines().all(|line| line.len() <= COLUMNS));
        assert!(text.starts_with("- word") && text.lines().nth(1).unwrap().starts_with("  word"));
    }
}
