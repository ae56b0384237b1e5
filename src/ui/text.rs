//! Text cut and wrapped by what the terminal shows: graphemes and their width in cells.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How many cells a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text within `most` cells; where it had to be cut, `ellipsis` says so.
pub fn fit(text: &str, most: usize, ellipsis: &str) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(ellipsis.width());
    let (head, _) = split(text, room);
    let mut fitted = head.trim_end().to_owned();
    if ellipsis.width() <= most {
        fitted.push_str(ellipsis);
    }
    fitted
}

/// The text in exactly `most` cells, cut or filled with blanks.
pub fn pad(text: &str, most: usize, ellipsis: &str) -> String {
    let mut fitted = fit(text, most, ellipsis);
    let blanks = most.saturating_sub(fitted.width());
    fitted.extend(std::iter::repeat_n(' ', blanks));
    fitted
}

/// Splits behind the last grapheme that still fits into `most` cells.
fn split(text: &str, most: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let w = grapheme.width();
        if used + w > most {
            return text.split_at(at);
        }
        used += w;
    }
    (text, "")
}

/// Lines of at most `most` cells, broken at blanks where there are any. Line breaks of the text
/// stay; an empty text gives one empty line.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, most, &mut lines);
    }
    lines
}

fn wrap_paragraph(paragraph: &str, most: usize, lines: &mut Vec<String>) {
    let mut line = String::new();
    let mut used = 0;
    for piece in paragraph.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let blank = &piece[word.len()..];
        let mut rest = word;
        if used + rest.width() > most && rest.width() <= most {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        // A word longer than a line, or a script without blanks, is broken anywhere.
        while used + rest.width() > most {
            let (head, tail) = split(rest, most - used);
            // A grapheme wider than a whole line would never fit: it is dropped.
            let drop = head.is_empty() && used == 0;
            let (head, tail) = if drop { ("", skip_one(rest)) } else { (head, tail) };
            line.push_str(head);
            lines.push(std::mem::take(&mut line));
            used = 0;
            rest = tail;
        }
        line.push_str(rest);
        used += rest.width();
        // A blank at the end of a line is left out.
        if used + blank.width() <= most {
            line.push_str(blank);
            used += blank.width();
        } else {
            used = most;
        }
    }
    lines.push(line.trim_end().to_owned());
}

fn skip_one(text: &str) -> &str {
    text.grapheme_indices(true).nth(1).map_or("", |(at, _)| &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cutting_keeps_graphemes_whole() {
        assert_eq!(fit("parking", 7, "…"), "parking");
        assert_eq!(fit("parking", 5, "…"), "park…");
        assert_eq!(fit("日本語", 5, "…"), "日本…");
        assert_eq!(fit("日本語", 4, "…"), "日…");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2, "…"), "e\u{301}…");
        assert_eq!(fit("abc", 0, "…"), "");
        assert_eq!(pad("日", 4, "…"), "日  ");
    }

    #[test]
    fn lines_break_at_blanks_and_long_words_are_split() {
        assert_eq!(wrap("a nurse who rents", 8), ["a nurse", "who", "rents"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("run run-7f3a on", 9), ["run", "run-7f3a", "on"]);
        assert_eq!(wrap("日本語日本語", 5), ["日本", "語日", "本語"]);
        assert_eq!(wrap("one\n\ntwo", 10), ["one", "", "two"]);
        assert_eq!(wrap("", 10), [""]);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(text in ".{0,80}", most in 2_usize..40) {
            for line in wrap(&text, most) {
                prop_assert!(line.width() <= most, "{line:?}");
            }
            prop_assert!(fit(&text, most, "…").width() <= most);
            prop_assert_eq!(pad("abc", most, "…").width(), most);
        }
    }
}
