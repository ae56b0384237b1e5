//! Rate-limit presets, by plan.

use super::scalar::nearest;
use crate::model::{PerMinute, Slots};
use indexmap::IndexMap;
use serde::Deserialize;
use std::sync::OnceLock;

/// What a plan starts a run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub slots: Slots,
    pub requests_per_minute: PerMinute,
    /// The most requests a minute that the plan itself allows.
    pub ceiling: PerMinute,
}

/// Every plan by its name, in the order of `config/plans.yaml`.
pub fn plans() -> &'static IndexMap<String, Plan> {
    static PLANS: OnceLock<IndexMap<String, Plan>> = OnceLock::new();
    PLANS.get_or_init(|| {
        serde_yaml::from_str(include_str!("../../config/plans.yaml"))
            .expect("config/plans.yaml is part of the program, and a test reads it")
    })
}

/// The plan of that name; otherwise what is wrong, with the plans there are.
pub(super) fn find(name: &str) -> Result<&'static Plan, String> {
    plans().get(name).ok_or_else(|| {
        let names: Vec<_> = plans().keys().map(String::as_str).collect();
        let hint = nearest(name, &names).map(|n| format!("; did you mean {n}?"));
        format!("must be one of {}, not {name:?}{}", names.join(", "), hint.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plans_are_those_of_the_source_system() {
        let table: Vec<_> = plans()
            .iter()
            .map(|(name, p)| {
                (name.as_str(), p.slots.get(), p.requests_per_minute.get(), p.ceiling.get())
            })
            .collect();
        assert_eq!(
            table,
            [
                ("free", 1, 3, 3),
                ("payg", 10, 100, 3_500),
                ("tier1", 10, 100, 3_500),
                ("tier2", 15, 150, 5_000),
            ]
        );
    }
}
