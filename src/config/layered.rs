//! A value under its layers: the last one that was put counts.

use super::{Origin, plans::Plan, survey_file::LimitKeys};
use crate::model::{Guessed, Limits, PerMinute, Slots};

/// A value that some layer has set, and which one was the last to do so.
#[derive(Debug)]
pub(super) struct Layered<T>(pub Option<(T, Origin)>);

impl<T> Default for Layered<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Layered<T> {
    pub(super) fn put(&mut self, value: Option<T>, origin: &Origin) {
        if let Some(value) = value {
            self.0 = Some((value, origin.clone()));
        }
    }

    /// For what `config/defaults.yaml` or the run file always sets.
    pub(super) fn get(&self) -> &(T, Origin) {
        self.0.as_ref().expect("the lowest layer sets every value, and a test loads it")
    }

    /// Where the value came from, if any.
    pub(super) fn origin(&self) -> Option<&Origin> {
        self.0.as_ref().map(|(_, origin)| origin)
    }
}

impl<T: Clone> Layered<T> {
    /// This value, or what lies below it, which is always set.
    pub(super) fn or(&self, below: &Self) -> (T, Origin) {
        self.0.as_ref().unwrap_or_else(|| below.get()).clone()
    }

    /// This value, or the built-in one.
    pub(super) fn or_default(&self, value: T) -> (T, Origin) {
        self.0.clone().unwrap_or((value, Origin::Default))
    }
}

/// The three limits, each with its origin.
#[derive(Debug, Default)]
pub(super) struct LimitLayers {
    pub slots: Layered<Slots>,
    pub requests: Layered<Option<PerMinute>>,
    pub tokens: Layered<Option<PerMinute>>,
}

impl LimitLayers {
    pub(super) fn put_keys(&mut self, keys: &LimitKeys, origin: &Origin) {
        self.slots.put(keys.slots.map(|n| Slots::clamped(n.get().into())), origin);
        self.requests.put(keys.requests_per_minute.map(|rate| rate.0), origin);
        self.tokens.put(keys.tokens_per_minute.map(|rate| rate.0), origin);
    }

    pub(super) fn put_plan(&mut self, plan: &Plan, origin: &Origin) {
        self.slots.put(Some(plan.slots), origin);
        self.requests.put(Some(Some(plan.requests_per_minute)), origin);
    }

    /// What the run file `origin` kept, its guesses as guesses.
    pub(super) fn put_kept(&mut self, limits: Limits, guessed: Guessed, origin: &Origin) {
        let of = |guessed: bool| match origin {
            Origin::File(file) if guessed => Origin::Guess(file.clone()),
            _ => origin.clone(),
        };
        self.slots.put(Some(limits.slots), &of(guessed.slots));
        self.requests.put(Some(limits.requests_per_minute), &of(guessed.requests_per_minute));
        self.tokens.put(Some(limits.tokens_per_minute), &of(guessed.tokens_per_minute));
    }
}
