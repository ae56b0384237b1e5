//! `voxpop tell`: what the keys do, without a screen.

use super::runs_folder::RunsFolder;
use crate::{
    cli::TellArgs,
    error::{Exit, Problem},
    launch,
    link::socket::Answers,
    model::{LimitName, PerMinute, Slots, strip_controls},
    protocol::{CommandOutcome, LimitValue, Order},
    store::{RunReader, is_live},
};
use std::io::{self, Write};

pub(super) fn tell(args: &TellArgs, runs: &RunsFolder) -> Result<Exit, Problem> {
    let orders = args.orders.iter().map(|order| read(order));
    let orders = orders.collect::<Result<Vec<_>, _>>().map_err(Problem::input)?;
    let run_file = runs.resolve_live(&args.run)?;
    if !is_live(&run_file) {
        let info = RunReader::open(&run_file).and_then(|reader| reader.run());
        let name = info.map_err(Problem::could_not_run)?.name;
        let handle = runs.handle(&name, &run_file);
        return Err(Problem::could_not_run(format!(
            "{name} is not live: `voxpop resume {handle}` goes on with it, and `voxpop retry \
             {handle}` asks the failed again"
        )));
    }
    let Answers { outcomes, broken_off } = launch::tell(&run_file, orders)?;
    let answered = outcomes.len();
    let mut out = io::stdout().lock();
    let mut exit = Exit::AllAnswered;
    for (order, outcome) in args.orders.iter().zip(outcomes) {
        let (applied, words) = match outcome {
            CommandOutcome::Applied { what } => (true, what),
            CommandOutcome::Refused { why } => (false, why),
        };
        if !applied {
            exit = Exit::CouldNotRun;
        }
        // A pipe that is closed early has seen what it wanted.
        let _ = if args.json {
            let outcome = if applied { "applied" } else { "refused" };
            let line = serde_json::json!({ "order": order, "outcome": outcome, "message": words });
            writeln!(out, "{line}")
        } else {
            let words = strip_controls(&words);
            writeln!(out, "{order}: {}{words}", if applied { "" } else { "not done: " })
        };
    }
    match broken_off {
        None => Ok(exit),
        Some(error) => Err(Problem::could_not_run(format!(
            "nobody answered {}: {error}",
            args.orders.get(answered..).unwrap_or_default().join(" ")
        ))),
    }
}

/// What a word orders.
fn read(word: &str) -> Result<Order, String> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    match (name, value) {
        ("pause", None) => Ok(Order::Pause),
        ("resume", None) => Ok(Order::Resume),
        ("retry-failed", None) => Ok(Order::RetryFailed),
        ("stop", None) => Ok(Order::FinishAndStop),
        ("stop-now", None) => Ok(Order::StopNow),
        ("batch", None | Some("on")) => Ok(Order::SetBatch { on: true }),
        ("batch", Some("off")) => Ok(Order::SetBatch { on: false }),
        ("cancel", None) => Ok(Order::CancelBatches),
        ("adapt", Some("on")) => Ok(Order::SetAdaptation { on: true }),
        ("adapt", Some("off")) => Ok(Order::SetAdaptation { on: false }),
        ("slots", Some(value)) => {
            set(LimitName::Slots, word, value, |n| Slots::try_from(n).map(Slots::get))
        }
        ("rpm", Some(value)) => set(LimitName::RequestsPerMinute, word, value, rate),
        ("tpm", Some(value)) => set(LimitName::TokensPerMinute, word, value, rate),
        _ => Err(format!(
            "{word:?} is no order: slots=N, rpm=N, tpm=N, adapt=on, adapt=off, batch, batch=off, \
             pause, resume, retry-failed, stop, stop-now or cancel"
        )),
    }
}

fn rate(number: i64) -> Result<u32, crate::model::LimitError> {
    PerMinute::try_from(number).map(PerMinute::get)
}

fn set(
    limit: LimitName,
    word: &str,
    value: &str,
    check: impl Fn(i64) -> Result<u32, crate::model::LimitError>,
) -> Result<Order, String> {
    let to = if value == "unlimited" && limit != LimitName::Slots {
        LimitValue::Unlimited
    } else {
        let number: i64 = value
            .replace(['_', ','], "")
            .parse()
            .map_err(|_| format!("{word:?}: {value:?} is no whole number"))?;
        LimitValue::Exactly(check(number).map_err(|error| format!("{word:?}: {error}"))?)
    };
    Ok(Order::SetLimit { endpoint: None, limit, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_or_told_what_they_can_be() {
        let limit = |limit, to| Ok(Order::SetLimit { endpoint: None, limit, to });
        assert_eq!(read("slots=20"), limit(LimitName::Slots, LimitValue::Exactly(20)));
        let rpm = LimitName::RequestsPerMinute;
        assert_eq!(read("rpm=1_200"), limit(rpm, LimitValue::Exactly(1_200)));
        assert_eq!(read("rpm=unlimited"), limit(rpm, LimitValue::Unlimited));
        assert_eq!(read("adapt=off"), Ok(Order::SetAdaptation { on: false }));
        assert_eq!(read("stop"), Ok(Order::FinishAndStop));
        for (bad, words) in [
            ("slots=0", "at least 1"),
            ("slots=unlimited", "no whole number"),
            ("slots=99999", "at most"),
            ("rpm=many", "no whole number"),
            ("adapt=maybe", "is no order"),
            ("sudo", "is no order"),
            ("stop=1", "is no order"),
        ] {
            let why = read(bad).unwrap_err();
            assert!(why.contains(words), "{bad}: {why}");
        }
    }
}
