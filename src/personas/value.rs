//! Values as real files have them, turned into words for a prompt.

use crate::model::strip_controls;

/// One line of text without hostile characters or outer white space.
///
/// Nearly all text is plain ASCII; asking that first makes reading a CSV file about twice as fast
/// as filtering every character.
pub(super) fn one_line(text: &str) -> String {
    let text = text.trim();
    if text.bytes().fold(true, |plain, b| plain & (0x20..0x7f).contains(&b)) {
        text.to_owned()
    } else {
        strip_controls(text).trim().to_owned()
    }
}

/// A value as a prompt should show it; `None` where there is none to show. Null, blank and NaN
/// are none; "None" and "NA" stay, since they may be answers ("Car: None").
pub(super) fn clean(text: &str) -> Option<String> {
    let value = one_line(text);
    match value.as_bytes() {
        b"" | b"null" | b"NULL" | b"nan" | b"NaN" | b"NAN" => None,
        b"true" | b"True" | b"TRUE" => Some("yes".to_owned()),
        b"false" | b"False" | b"FALSE" => Some("no".to_owned()),
        [.., b'0'] => Some(without_float_tail(value)),
        _ => Some(value),
    }
}

/// The same for a column whose name ends in `_list`, where a list may have become a string such
/// as `['a', 'b']` on its way through a table.
pub(super) fn clean_list(text: &str) -> Option<String> {
    match list_items(text.trim()) {
        Some(items) => joined(items.iter().filter_map(|item| clean(item))),
        None => clean(text),
    }
}

/// "a, b"; `None` where there is nothing to join.
pub(super) fn joined(items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<_> = items.collect();
    (!items.is_empty()).then(|| items.join(", "))
}

/// Whole numbers that went through a float column: `3.0` is 3.
fn without_float_tail(mut value: String) -> String {
    if let Some((whole, tail)) = value.split_once('.') {
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if is_number && tail.bytes().all(|b| b == b'0') {
            value.truncate(whole.len());
        }
    }
    value
}

/// The items of a Python or JSON list of plain values; `None` where the text is no such list.
fn list_items(text: &str) -> Option<Vec<String>> {
    let mut rest = text.strip_prefix('[')?.strip_suffix(']')?.trim_start();
    let mut items = Vec::new();
    while let Some(first) = rest.chars().next() {
        if matches!(first, '\'' | '"') {
            let (item, after) = quoted_item(&rest[1..], first)?;
            items.push(item);
            rest = after.trim_start();
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let item = rest[..end].trim();
            if item.contains(['[', ']', '{', '}', '\'', '"']) {
                return None;
            }
            items.push(if item == "None" { String::new() } else { item.to_owned() });
            rest = &rest[end..];
        }
        // numpy writes no commas between strings.
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(items)
}

/// The text up to the closing quote, and what follows that.
fn quoted_item(text: &str, quote: char) -> Option<(String, &str)> {
    let mut item = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next()?.1 {
                'n' | 'r' | 't' => item.push(' '),
                escaped => item.push(escaped),
            },
            c if c == quote => return Some((item, &text[at + c.len_utf8()..])),
            c => item.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_becomes_words_and_nothing_becomes_none() {
        for (given, shown) in [
            ("  nurse ", Some("nurse")),
            ("", None),
            (" \t ", None),
            ("NaN", None),
            ("null", None),
            ("None", Some("None")),
            ("NA", Some("NA")),
            ("3.0", Some("3")),
            ("-12.00", Some("-12")),
            ("0.0", Some("0")),
            ("1.50", Some("1.50")),
            ("10.0.0", Some("10.0.0")),
            (".0", Some(".0")),
            ("007", Some("007")),
            ("True", Some("yes")),
            ("false", Some("no")),
            ("a\u{1b}[2Jb\nc", Some("a[2Jb c")),
            ("\u{feff}\u{202e}", None),
            ("Zoë", Some("Zoë")),
        ] {
            assert_eq!(clean(given).as_deref(), shown, "{given:?}");
        }
    }

    #[test]
    fn a_list_that_became_a_string_is_a_list_again() {
        for (given, shown) in [
            ("['a', 'b']", Some("a, b")),
            (r#"["it's", 'a \'b\'']"#, Some("it's, a 'b'")),
            ("['a' 'b']", Some("a, b")),
            ("[1.0, 2, None, True]", Some("1, 2, yes")),
            ("[]", None),
            ("['']", None),
            ("['a', ['b']]", Some("['a', ['b']]")),
            ("['open]", Some("['open]")),
            ("plain", Some("plain")),
        ] {
            assert_eq!(clean_list(given).as_deref(), shown, "{given:?}");
        }
    }
}
