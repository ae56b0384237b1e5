//! The API key: checked before it can break a header, and never shown.

use secrecy::SecretString;

/// A key that can be sent. The error does not repeat it.
pub(super) fn check(key: &str) -> Result<SecretString, String> {
    if key.starts_with(['"', '\'']) {
        return Err("has quotes around the key; take them off".into());
    }
    if key.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(
            "has a space or a control character inside; paste the key again in one piece".into()
        );
    }
    if !key.is_ascii() {
        return Err(
            "has a character that no key has (a typographic dash or quote?); paste the key again"
                .into(),
        );
    }
    Ok(key.into())
}

/// How keys of well-known providers begin.
const BEGINNINGS: [&str; 6] = ["sk-", "AIza", "gsk_", "xai-", "hf_", "Bearer "];

/// Whether a text that ought to say where a key is holds one itself.
pub(super) fn is_likely_in(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '=' | '(' | ')')).any(
        |word| word.len() >= 16 && BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)),
    )
}

#[cfg(test)]
mod tests {
    use super::is_likely_in;

    #[test]
    fn a_key_is_known_by_its_beginning() {
        for text in
            ["sk-proj-0123456789abcdef", "echo 'sk-0123456789abcdef'", "K=AIzaSy0123456789abc"]
        {
            assert!(is_likely_in(text), "{text}");
        }
        for text in
            ["pass show openai", "cat sk-key.txt", "OPENAI_API_KEY", "~/keys/task-force-one.key"]
        {
            assert!(!is_likely_in(text), "{text}");
        }
    }
}
