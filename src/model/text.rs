//! Text from models, files and providers is hostile until it has been stripped.

/// One harmless line: control and escape characters, bidi marks and invisible formatting are
/// taken out, line breaks and tabs become spaces.
pub fn strip_controls(text: &str) -> String {
    text.chars()
        .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
        .filter(|&c| !is_hostile(c))
        .collect()
}

/// The same with line breaks kept (tabs become spaces).
pub fn strip_controls_keep_lines(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|&c| c == '\n' || !is_hostile(c))
        .collect()
}

/// Characters that move the cursor, start an escape sequence, reorder text or hide in it.
/// U+200D stays: emoji are joined with it.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_would_obey_is_left() {
        let text = "a\u{1b}[31mred\u{7}\u{202e}txt\u{9b}2J\r\nb\tc";
        assert_eq!(strip_controls(text), "a[31mredtxt2J  b c");
        assert_eq!(strip_controls_keep_lines(text), "a[31mredtxt2J\nb c");
        assert_eq!(strip_controls("👩\u{200d}⚕ né"), "👩\u{200d}⚕ né");
    }
}
