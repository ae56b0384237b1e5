//! What makes two requests the same.

use ring::digest::{Context, SHA256};

/// Which of several replies to the same request is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeat {
    /// How often it was asked for before.
    times: u32,
    /// Whose words it is; `None` where they are nobody's in particular, as a critic's.
    of: Option<[u8; 32]>,
}

impl Repeat {
    /// The one after so many others.
    pub const fn after(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// What these personas say, and nobody who only looks like them.
    pub fn of(self, ids: &[&str]) -> Self {
        let mut context = Context::new(&SHA256);
        ids.iter().for_each(|id| take_in(&mut context, &[id.as_bytes()]));
        Self { of: Some(finished(context)), ..self }
    }
}

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
        context.update(&repeat.times.to_le_bytes());
        if let Some(of) = &repeat.of {
            context.update(of);
        }
        CacheKey(finished(context))
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

fn finished(context: Context) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
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
        let first = Repeat::default();
        let key = start.key(&[b"Ada"], first);
        assert_eq!(key, KeyStart::new(&[b"gpt", b"be brief"]).key(&[b"Ada"], first));
        for other in [
            start.key(&[b"Ade"], first),
            start.key(&[b"Ada"], first.after(1)),
            start.key(&[b"Ada"], first.of(&["p1"])),
            start.key(&[b"Ada", b""], first),
            KeyStart::new(&[b"gptb", b"e brief"]).key(&[b"Ada"], first),
            KeyStart::new(&[b"gpt", b"be brief", b"Ada"]).key(&[], first.after(1)),
        ] {
            assert_ne!(key, other);
        }
    }

    #[test]
    fn what_one_persona_says_is_not_what_another_says() {
        let key = |ids: &[&str]| {
            KeyStart::new(&[b"gpt"]).key(&[b"Ada"], Repeat::default().of(ids).after(1))
        };
        assert_eq!(key(&["p1", "p2"]), key(&["p1", "p2"]));
        for others in [&["p2", "p1"][..], &["p1"], &["p1p2"], &["p1", "p2", ""]] {
            assert_ne!(key(&["p1", "p2"]), key(others), "{others:?}");
        }
    }
}
