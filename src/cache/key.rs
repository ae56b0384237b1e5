//! What makes two requests the same.

use ring::digest::{Context, SHA256};

/// Which of several replies to the same request: a survey that is to ask each persona more than
/// once has one for each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeat(pub u32);

/// Stands for one request: SHA-256 over all of it that bears on the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(pub(super) [u8; 32]);

/// What many requests have in common, taken in once.
#[derive(Clone)]
pub struct KeyStart(Context);

impl KeyStart {
    /// From the parts that come first in every key.
    pub fn new(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        take_in(&mut context, parts);
        Self(context)
    }

    /// The key of a request with these further parts.
    pub fn key(&self, parts: &[&[u8]], repeat: Repeat) -> CacheKey {
        let mut context = self.0.clone();
        take_in(&mut context, parts);
        context.update(&repeat.0.to_le_bytes());
        let digest = context.finish();
        let mut key = [0; 32];
        key.copy_from_slice(digest.as_ref());
        CacheKey(key)
    }
}

impl CacheKey {
    /// All of it, to go into other keys.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A part of it that is as good as all of it for a first look.
    pub(super) fn short(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Each part with its length, so that no two lists of parts read alike.
fn take_in(context: &mut Context, parts: &[&[u8]]) {
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_request_has_the_same_key() {
        let start = KeyStart::new(&[b"gpt", b"be brief"]);
        let key = start.key(&[b"Ada"], Repeat(0));
        assert_eq!(key, KeyStart::new(&[b"gpt", b"be brief"]).key(&[b"Ada"], Repeat(0)));
        for other in [
            start.key(&[b"Ade"], Repeat(0)),
            start.key(&[b"Ada"], Repeat(1)),
            start.key(&[b"Ada", b""], Repeat(0)),
            KeyStart::new(&[b"gptb", b"e brief"]).key(&[b"Ada"], Repeat(0)),
            KeyStart::new(&[b"gpt", b"be brief", b"Ada"]).key(&[], Repeat(1)),
        ] {
            assert_ne!(key, other);
        }
    }
}
