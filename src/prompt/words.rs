//! Names of columns as people read them.

/// Appends `name` with its first letter as a capital and its separators as spaces:
/// `marital_status` becomes "Marital status", `address.city` "Address city", `hasKids` "Has kids".
/// A name without lower case letters, such as `P_AGE1` from a codebook, keeps its capitals.
pub(super) fn push_label(label: &mut String, name: &str) {
    if is_plain(name) {
        return push_plain(label, name);
    }
    let mut first = true;
    let mut gap = false;
    let mut after_lower = false;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        if matches!(c, '_' | '.' | '-' | ' ') {
            gap = !first;
            continue;
        }
        let hump = after_lower && c.is_uppercase();
        if gap || hump {
            label.push(' ');
        }
        let word_goes_on = chars.peek().is_some_and(|next| next.is_lowercase());
        if first {
            label.extend(c.to_uppercase());
        } else if hump && word_goes_on {
            label.extend(c.to_lowercase());
        } else {
            label.push(c);
        }
        after_lower = c.is_lowercase();
        first = false;
        gap = false;
    }
}

/// Whether the name is lower case words with single underscores between them, as most are. They
/// have a short cut: labels are made for every attempt, and took 3 % of all instructions.
fn is_plain(name: &str) -> bool {
    let word = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_lowercase);
    name.as_bytes().split(|&b| b == b'_').all(word)
}

fn push_plain(label: &mut String, name: &str) {
    let capital = name.chars().next().map(|first| first.to_ascii_uppercase());
    label.extend(capital);
    for (n, word) in name.split('_').enumerate() {
        if n > 0 {
            label.push(' ');
        }
        label.push_str(if n == 0 { word.get(1..).unwrap_or_default() } else { word });
    }
}

/// The label alone.
pub(super) fn label(name: &str) -> String {
    let mut label = String::with_capacity(name.len() + 2);
    push_label(&mut label, name);
    label
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_name_becomes_a_label() {
        for (name, shown) in [
            ("age", "Age"),
            ("marital_status", "Marital status"),
            ("address.city", "Address city"),
            ("children.1.age", "Children 1 age"),
            ("educationLevel", "Education level"),
            ("ownsEV", "Owns EV"),
            ("P_AGE1", "P AGE1"),
            ("Public transport", "Public transport"),
            ("_private__name_", "Private name"),
            ("größe", "Größe"),
            ("élan_vital", "Élan vital"),
        ] {
            assert_eq!(label(name), shown);
        }
    }
}
