//! What was worked out before and need not be worked out again: all requests of a run share
//! their question and their schema.

use std::sync::{Arc, Mutex, PoisonError};

/// The last few things made, each with the text that it was made of. Reading the schema anew
/// for every request took a sixth of the time of a reply.
#[derive(Debug)]
pub struct Remembered<T>(Mutex<Vec<(Box<str>, Arc<T>)>>);

/// A run has one question and a schema for each stage.
const MOST: usize = 16;

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Remembered<T> {
    /// What is made of this text. A failure is not remembered.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get<E>(&self, text: &str, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made)) = known.iter().find(|(of, _)| **of == *text) {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(make()?);
        if known.len() == MOST {
            known.remove(0);
        }
        known.push((text.into(), Arc::clone(&made)));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_made_once_until_it_is_forgotten() {
        let remembered = Remembered::default();
        let made = std::cell::Cell::new(0);
        let get = |text: &str| {
            let make = || {
                made.set(made.get() + 1);
                if text.is_empty() { Err(()) } else { Ok(text.to_uppercase()) }
            };
            remembered.get(text, make).map(|made| made.to_string())
        };
        assert_eq!(
            (get("a"), get("a"), get("b")),
            (Ok("A".into()), Ok("A".into()), Ok("B".into()))
        );
        assert_eq!(made.get(), 2);
        assert_eq!((get(""), get("")), (Err(()), Err(())));
        assert_eq!(made.get(), 4);
        for i in 0..100 {
            get(&i.to_string()).unwrap();
        }
        assert_eq!((get("a"), made.get()), (Ok("A".into()), 105));
    }
}
