//! Text of a model, stripped of what a terminal or a reader would stumble over.

use crate::model::{strip_controls, strip_controls_keep_lines};

/// Several lines.
pub(super) fn lines(text: String) -> String {
    trimmed(if is_harmless(&text) { text } else { strip_controls_keep_lines(&text) })
}

/// One line.
pub(super) fn one_line(text: String) -> String {
    let harmless = is_harmless(&text) && !text.contains('\n');
    trimmed(if harmless { text } else { strip_controls(&text) })
}

/// Text that cannot end the tags around it, nor begin others.
pub(super) fn untagged(text: &str) -> String {
    text.replace('<', "\u{2039}")
}

/// Whether stripping would change nothing, line breaks apart. Most answers are printable ASCII,
/// where one look at the bytes does; of the others only what is not ASCII goes through the filter
/// of characters.
fn is_harmless(text: &str) -> bool {
    if is_printable(text) {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let (ascii, other) = split(rest, |b| b.is_ascii());
        let (special, next) = split(other, |b| !b.is_ascii());
        if !is_printable(ascii) || strip_controls(special).len() != special.len() {
            return false;
        }
        rest = next;
    }
    true
}

/// A fold, not an `all`: without the early way out it is done for many bytes at once.
fn is_printable(text: &str) -> bool {
    text.bytes().fold(true, |all, b| all & ((0x20..0x7f).contains(&b) | (b == b'\n')))
}

/// Splits in front of the first byte that `belongs` does not hold for: always the border between
/// ASCII and the rest, and so one between characters.
fn split(text: &str, belongs: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !belongs(b)).unwrap_or(text.len());
    text.split_at(end)
}

fn trimmed(text: String) -> String {
    if text.trim().len() == text.len() { text } else { text.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_it_is_stripped() {
        for (text, kept) in [
            ("plain\ntext", "plain\ntext"),
            ("  it’s – ça 👩\u{200d}⚕  ", "it’s – ça 👩\u{200d}⚕"),
            ("a\u{1b}[2J", "a[2J"),
            ("a\u{202e}b", "ab"),
            ("é\u{9b}x", "éx"),
            ("a\tb\r\n", "a b"),
        ] {
            assert_eq!(lines(text.to_owned()), kept);
            assert_eq!(one_line(text.to_owned()), kept.replace('\n', " "));
        }
    }
}
