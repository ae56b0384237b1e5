//! What a run costs, against its budget.

use crate::protocol::MoneyMeter;

/// What there is to say about the money of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// `$1.27 of $5.00`
    pub spent: String,
    /// `$5.30 at the end`, once it can be foreseen.
    pub end: Option<String>,
    /// The whole run would cost more than its budget: it will stop before it is over.
    pub over_budget: bool,
}

impl Cost {
    /// Reads the meter.
    pub fn of(money: &MoneyMeter) -> Self {
        Self {
            spent: match money.budget {
                Some(budget) => format!("{} of {budget}", money.spent),
                None => money.spent.to_string(),
            },
            end: money.projected.map(|projected| format!("{projected} at the end")),
            over_budget: money
                .projected
                .zip(money.budget)
                .is_some_and(|(projected, budget)| projected > budget),
        }
    }

    /// All of it in one line: `$1.27 of $5.00, $5.30 at the end, over the budget`.
    pub fn words(&self) -> String {
        let mut words = self.spent.clone();
        if let Some(end) = &self.end {
            words.push_str(", ");
            words.push_str(end);
        }
        if self.over_budget {
            words.push_str(", over the budget");
        }
        words
    }
}
