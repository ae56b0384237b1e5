//! What a refusal of a whole file comes from, as far as something can be done about it.

use crate::model::{BatchProblem, Tokens};

/// What of a file is more than a provider takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outsized {
    Lines,
    Bytes,
}

/// So many lines that are all wrong in the same way are enough to tell that it is not the lines.
/// No provider names all of 50,000.
const ENOUGH: usize = 10;

/// The cap on enqueued tokens that a refusal names: `... Limit: 90,000 enqueued tokens ...`.
pub fn enqueued_limit(problem: &BatchProblem) -> Option<Tokens> {
    if problem.code != "token_limit_exceeded" {
        return None;
    }
    let (_, after) = problem.message.split_once("Limit:")?;
    let number = after.trim_start().split(|c: char| !c.is_ascii_digit() && c != ',').next()?;
    number.replace(',', "").parse().ok().map(Tokens)
}

/// Whether a file is refused for its size alone: smaller ones will do. Only codes tell, for words
/// about "too many requests" are as often about a rate.
pub fn outsized(problem: &BatchProblem) -> Option<Outsized> {
    if problem.line.is_some() {
        return None;
    }
    match problem.code.as_str() {
        "too_many_tasks" | "too_many_lines" | "too_many_records" | "too_many_rows" => {
            Some(Outsized::Lines)
        }
        "file_too_large"
        | "file_size_exceeded"
        | "file_size_limit_exceeded"
        | "request_too_large"
        | "payload_too_large"
        | "too_large" => Some(Outsized::Bytes),
        _ => None,
    }
}

/// Whether all lines of a file that is refused have one cause, such as a model that is unknown: the
/// file has so many, and these are its problems.
pub fn one_cause_for_all(problems: &[BatchProblem], lines: usize) -> bool {
    let [first, others @ ..] = problems else { return false };
    let alike = |problem: &BatchProblem| {
        problem.line.is_some() && problem.code == first.code && problem.message == first.message
    };
    lines > 1 && problems.len() >= lines.min(ENOUGH) && alike(first) && others.iter().all(alike)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: &str, message: &str, line: Option<u64>) -> BatchProblem {
        BatchProblem { code: code.into(), message: message.into(), param: None, line }
    }

    #[test]
    fn a_file_that_is_too_large_is_told_by_the_code() {
        let of = |code: &str, line| outsized(&problem(code, "too many requests", line));
        assert_eq!(of("too_many_tasks", None), Some(Outsized::Lines));
        assert_eq!(of("file_too_large", None), Some(Outsized::Bytes));
        assert_eq!(of("file_too_large", Some(3)), None);
        assert_eq!(of("rate_limited", None), None);
        let full = problem("token_limit_exceeded", "... Limit: 90,000 enqueued tokens.", None);
        assert_eq!((outsized(&full), enqueued_limit(&full)), (None, Some(Tokens(90_000))));
    }

    #[test]
    fn one_cause_for_all_is_no_fault_of_the_lines() {
        let same = |many: u64| -> Vec<BatchProblem> {
            (1..=many).map(|line| problem("model_not_found", "no such model", Some(line))).collect()
        };
        assert!(one_cause_for_all(&same(3), 3));
        assert!(one_cause_for_all(&same(100), 50_000));
        assert!(!one_cause_for_all(&same(2), 3), "the third may be sound");
        assert!(!one_cause_for_all(&same(1), 1), "nobody can tell");
        let mut mixed = same(3);
        mixed[1].message = "a bad line".into();
        assert!(!one_cause_for_all(&mixed, 3));
        assert!(!one_cause_for_all(&[], 3));
    }
}
