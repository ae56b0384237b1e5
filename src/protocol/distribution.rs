//! How the answers are spread over the grid, as far as they are on disk.

use crate::model::{Grid, Score};
use serde::{Deserialize, Serialize};

/// The numbers of all answers so far: the support level, then each dimension of the grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many answers there are.
    pub answers: u32,
    /// Whether any persona has a weight; where none has, each counts as 1.
    pub weighted: bool,
    /// What the personas weigh together.
    pub weight: f64,
    /// The sum of the weights' squares.
    pub squares: f64,
    /// The smallest and the largest weight.
    pub lightest: f64,
    pub heaviest: f64,
    /// Empty where nothing is known of the grid.
    pub scores: Vec<ScoreMeter>,
}

/// One number of the grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreMeter {
    /// "support_level", or the dimension's key.
    pub key: String,
    /// As people read it.
    pub label: String,
    /// How many answers have 1, 2, 3, 4 and 5.
    pub counts: [u32; 5],
    /// What their personas weigh.
    pub weights: [f64; 5],
}

impl Distribution {
    /// Of no answers yet.
    pub fn of(grid: &Grid) -> Self {
        let meter = |key: &str, label: &str| ScoreMeter {
            key: key.to_owned(),
            label: label.to_owned(),
            ..ScoreMeter::default()
        };
        let support = meter("support_level", &grid.support);
        let impacts = grid.impacts.iter().map(|impact| meter(&impact.key, &impact.label));
        Self { scores: std::iter::once(support).chain(impacts).collect(), ..Self::default() }
    }

    /// Counts an answer: the support level and each dimension, in the order of the grid.
    pub fn count(&mut self, weight: Option<f64>, scores: impl IntoIterator<Item = Option<Score>>) {
        self.answers += 1;
        self.weighted |= weight.is_some();
        let weight = weight.unwrap_or(1.0);
        let first = self.answers == 1;
        self.lightest = if first { weight } else { self.lightest.min(weight) };
        self.heaviest = self.heaviest.max(weight);
        self.weight += weight;
        self.squares += weight * weight;
        for (meter, score) in self.scores.iter_mut().zip(scores) {
            let Some(score) = score else { continue };
            let at = usize::from(score.get()) - 1;
            meter.counts[at] += 1;
            meter.weights[at] += weight;
        }
    }

    /// Counts the answers of another distribution over the same grid as well.
    pub fn add(&mut self, other: &Self) {
        if other.answers == 0 {
            return;
        }
        let first = self.answers == 0;
        self.answers += other.answers;
        self.weighted |= other.weighted;
        self.lightest = if first { other.lightest } else { self.lightest.min(other.lightest) };
        self.heaviest = self.heaviest.max(other.heaviest);
        self.weight += other.weight;
        self.squares += other.squares;
        for (meter, other) in self.scores.iter_mut().zip(&other.scores) {
            for (count, more) in meter.counts.iter_mut().zip(other.counts) {
                *count += more;
            }
            for (weight, more) in meter.weights.iter_mut().zip(other.weights) {
                *weight += more;
            }
        }
    }

    /// How many equally weighted answers would say as much: (sum w)^2 / sum w^2.
    pub fn effective(&self) -> f64 {
        if self.squares > 0.0 { self.weight * self.weight / self.squares } else { 0.0 }
    }
}

impl Distribution {
    /// What a share may be off by chance, 0 to 1, at 95 % confidence and a share of a half, where
    /// it is off most: z * sqrt(deff * p (1 - p) / n), with n / deff answers that count.
    pub fn margin(&self) -> Option<f64> {
        const Z: f64 = 1.96;
        let effective = self.effective();
        (effective > 0.0).then(|| Z * (0.25 / effective).sqrt())
    }

    /// How much weights cost: n answers say as much as n / this of equal weight.
    pub fn design_effect(&self) -> Option<f64> {
        let effective = self.effective();
        (effective > 0.0).then(|| f64::from(self.answers) / effective)
    }
}

impl ScoreMeter {
    /// The weighted share of each score, 0 to 1; all 0 where there is no answer.
    pub fn shares(&self) -> [f64; 5] {
        let all: f64 = self.weights.iter().sum();
        self.weights.map(|weight| if all > 0.0 { weight / all } else { 0.0 })
    }

    /// The weighted mean; `None` where there is no answer.
    pub fn mean(&self) -> Option<f64> {
        let all: f64 = self.weights.iter().sum();
        let sum: f64 = (1..).zip(&self.weights).map(|(n, weight)| f64::from(n) * weight).sum();
        (all > 0.0).then(|| sum / all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dimension;

    fn score(number: u8) -> Option<Score> {
        Score::try_from(number).ok()
    }

    #[test]
    fn two_halves_are_the_whole() {
        let grid = Grid { support: "Support".into(), impacts: vec![] };
        let of = |answers: &[(Option<f64>, u8)]| {
            let mut spread = Distribution::of(&grid);
            answers.iter().for_each(|&(weight, number)| spread.count(weight, [score(number)]));
            spread
        };
        let all = [(Some(2.0), 1), (None, 5), (Some(0.5), 3), (Some(4.0), 1)];
        for middle in 0..=all.len() {
            let (before, after) = all.split_at(middle);
            let mut added = of(before);
            added.add(&of(after));
            assert_eq!(added, of(&all), "{middle}");
        }
    }

    #[test]
    fn shares_are_weighted_and_counts_are_not() {
        let impacts = vec![Dimension::from("Public transport".to_owned())];
        let mut spread = Distribution::of(&Grid { support: "Support".into(), impacts });
        spread.count(Some(3.0), [score(5), score(1)]);
        spread.count(Some(1.0), [score(2), None]);
        let support = &spread.scores[0];
        assert_eq!(support.counts, [0, 1, 0, 0, 1]);
        assert_eq!(support.shares(), [0.0, 0.25, 0.0, 0.0, 0.75]);
        assert_eq!(support.mean(), Some(4.25));
        let transport = &spread.scores[1];
        assert_eq!((transport.key.as_str(), transport.counts[0]), ("public_transport", 1));
        assert_eq!(transport.mean(), Some(1.0));
        assert!(spread.weighted && spread.answers == 2);
        assert!((spread.effective() - 1.6).abs() < 1e-9, "{}", spread.effective());
        assert_eq!((spread.lightest, spread.heaviest), (1.0, 3.0));
        assert!((spread.design_effect().unwrap() - 1.25).abs() < 1e-9);
    }

    #[test]
    fn without_weights_every_answer_counts_as_one() {
        let mut spread = Distribution::of(&Grid { support: "Support".into(), impacts: vec![] });
        assert_eq!((spread.effective(), spread.scores[0].mean()), (0.0, None));
        for _ in 0..4 {
            spread.count(None, [score(3)]);
        }
        assert!(!spread.weighted);
        assert_eq!((spread.effective(), spread.scores[0].shares()[2]), (4.0, 1.0));
        assert_eq!(spread.margin(), Some(0.49));
    }
}
