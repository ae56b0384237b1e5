//! The API key: checked before it can break a header, and never shown.

use secrecy::SecretString;

/// A key that can be sent. The error does not repeat it.
pub(super) fn check(key: String) -> Result<SecretString, String> {
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
