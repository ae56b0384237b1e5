//! A plan for people, in 80 columns.

use super::outlook::{Latency, Outlook, Row, Under};
use crate::{
    forecast::{Binds, Cost, PRICED_PREFIX},
    model::{LimitName, Slots, strip_controls},
    ui::{
        format::{plural, thousands},
        text::{width, wrap},
    },
};
use std::time::Duration;

/// How wide a page is.
const COLUMNS: usize = 80;

/// What stands between columns.
const GAP: &str = "  ";

pub(super) fn page(outlook: &Outlook) -> String {
    let requests = plural(outlook.work.requests, "request", "requests");
    let model = format!("{} at {}", outlook.model, outlook.endpoint);
    let mut page = paragraph(&format!("{}: {requests} to {model}", outlook.survey), "");
    page += &format!("\n{}\n{}\n", amounts(outlook), times(outlook));
    page += &format!("{}\n", paragraph(&advice(&outlook.rows[0]), ""));
    page += "Taken for granted:\n";
    page.extend(assumptions(outlook).iter().map(|text| paragraph(text, "- ")));
    for warning in &outlook.warnings {
        page += &format!("\n{}", paragraph(warning, "warning: "));
    }
    for note in &outlook.notes {
        page += &format!("\n{}", paragraph(note, "note: "));
    }
    page += "\nnothing was sent\n";
    page
}

fn amounts(outlook: &Outlook) -> String {
    let work = &outlook.work;
    let all = &outlook.rows[0].forecast;
    let range = |low: u64, high: u64| {
        if low == high {
            thousands(high)
        } else {
            format!("{} to {}", thousands(low), thousands(high))
        }
    };
    let shared = thousands(work.shared_tokens.0.saturating_mul(work.requests));
    let mut rows = vec![
        ["", "a request", "in all", "at most"].map(str::to_owned),
        [
            "prompt tokens".into(),
            thousands(work.prompt_each()),
            thousands(work.prompt_tokens.0),
            String::new(),
        ],
        ["  the same for all".into(), thousands(work.shared_tokens.0), shared, String::new()],
        [
            "output tokens".into(),
            range(work.output.low, work.output.high),
            range(all.output.low, all.output.high),
            thousands(all.output.cap),
        ],
    ];
    if let Some(cost) = &all.cost {
        rows.push(["cost, USD".into(), String::new(), cost_range(cost), dollars(cost.cap)]);
    }
    let mut text = table(&rows, [Left, Right, Right, Right]);
    if all.cost.is_none() {
        let unknown = format!("unknown: there is no price for {}", outlook.model);
        text += &paragraph(&unknown, "cost: ");
    }
    text
}

fn cost_range(cost: &Cost) -> String {
    let (low, high) = (dollars(cost.low), dollars(cost.high));
    if low == high { high } else { format!("{low} to {high}") }
}

fn times(outlook: &Outlook) -> String {
    let head = ["limits", "slots", "requests/min", "time", "binds", "slots wanted"];
    let mut rows = vec![head.map(str::to_owned)];
    for row in &outlook.rows {
        let rate = row.limits.requests_per_minute;
        rows.push([
            match row.under {
                Under::Set => "as set".to_owned(),
                Under::Plan(name) => name.to_owned(),
                Under::Ceiling(_) => "  its ceiling".to_owned(),
            },
            thousands(row.limits.slots.get().into()),
            rate.map_or_else(|| "unlimited".to_owned(), |rate| thousands(rate.get().into())),
            span(row.forecast.time),
            row.forecast.binds.label().to_owned(),
            row.forecast.slots_wanted.map_or_else(|| "any".to_owned(), thousands),
        ]);
    }
    table(&rows, [Left, Right, Right, Right, Left, Right])
}

/// What binds under the limits that are set, and what can be done about it.
fn advice(set: &Row) -> String {
    let slots = u64::from(set.limits.slots.get());
    let wanted = set.forecast.slots_wanted;
    match set.forecast.binds {
        Binds::Limit(LimitName::Slots) => match wanted {
            Some(wanted) if wanted > Slots::MAX.into() => format!(
                "As set, slots bind: the rates have room for {}, and {} is the most.",
                thousands(wanted),
                thousands(Slots::MAX.into())
            ),
            Some(wanted) => format!(
                "As set, slots bind: {} instead of {} use the rates in full.",
                thousands(wanted),
                thousands(slots)
            ),
            None => "As set, slots bind: more of them help, as long as the server keeps up.".into(),
        },
        Binds::Limit(limit) => {
            let remedy = match limit {
                LimitName::TokensPerMinute => "shorter prompts and answers do",
                _ => "a higher rate does, if your account allows it",
            };
            format!("As set, {} binds: more slots do not help, {remedy}.", limit.label())
        }
        Binds::Latency => {
            "As set, nothing binds: it takes about as long as the slowest answer.".into()
        }
    }
}

fn assumptions(outlook: &Outlook) -> Vec<String> {
    let work = &outlook.work;
    let model = &outlook.model;
    let everybody = u64::from(outlook.counted) == work.requests;
    let counted = if everybody {
        "for every persona".to_owned()
    } else {
        format!("for {} personas drawn from all", thousands(outlook.counted.into()))
    };
    let vocabulary = if outlook.exact {
        format!("counted with the vocabulary of {model} {counted}")
    } else {
        format!(
            "estimated with the vocabulary of gpt-4o {counted}, perhaps a fifth too many or too \
             few, since that of {model} is not known"
        )
    };
    let mut lines = vec![
        format!("prompt tokens: {vocabulary}; chat format and JSON schema are included"),
        format!(
            "answers: a narrative of 5 to 10 sentences with its grid; times are for {} tokens",
            work.output.middle().round()
        ),
        match outlook.latency {
            Latency::Given(time) => format!("latency: {} (--latency)", span(time)),
            Latency::Usual(time) => format!(
                "latency: {}, half a second and a second for every 60 tokens of the answer; \
                 --latency says what you have measured",
                span(time)
            ),
        },
        match outlook.tokens_per_minute {
            Some(limit) => format!(
                "tokens/min: {} in every row, taken by prompts and answers; a provider that takes \
                 the cap of {} for every answer lets at most {} requests/min through",
                thousands(limit.into()),
                thousands(work.output.cap),
                thousands(u64::from(limit) / (work.prompt_each() + work.output.cap).max(1))
            ),
            None => "tokens/min: unlimited in every row; --tpm says what your account has".into(),
        },
        "slots wanted: rate x latency (Little's law) for the rate that requests/min and \
         tokens/min allow; slow answers want a few more"
            .into(),
        "its ceiling: the most requests/min that the plan allows, with the slots wanted".into(),
        "nothing is asked twice: retries come on top".into(),
    ];
    if outlook.prefix_is_kept() {
        lines.push(format!(
            "the {} tokens that are the same for all are billed lower by providers that keep what \
             prompts begin with, from {} on",
            thousands(work.shared_tokens.0),
            thousands(PRICED_PREFIX.0)
        ));
    }
    lines
}

/// A text after a mark, wrapped, its further lines under its first.
fn paragraph(text: &str, mark: &str) -> String {
    let indent = mark.len();
    let mut lines = String::new();
    for (n, line) in wrap(&strip_controls(text), COLUMNS - indent).iter().enumerate() {
        let before = if n == 0 { mark } else { "" };
        lines += &format!("{before:indent$}{line}\n");
    }
    lines
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}
use Side::{Left, Right};

/// Columns as wide as they must be.
fn table<const N: usize>(rows: &[[String; N]], sides: [Side; N]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|n| rows.iter().map(|row| width(&row[n])).max().unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let cells: [String; N] = std::array::from_fn(|n| {
            let blanks = " ".repeat(widths[n] - width(&row[n]));
            match sides[n] {
                Left => format!("{}{blanks}", row[n]),
                Right => format!("{blanks}{}", row[n]),
            }
        });
        text += cells.join(GAP).trim_end();
        text.push('\n');
    }
    text
}

/// A span of time in its two largest units: `1 h 12 min`.
fn span(time: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    if time < Duration::from_secs(10) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    let largest = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[largest];
    let Some((next, next_name)) = UNITS.get(largest + 1) else {
        return format!("{seconds} {name}");
    };
    // Rounded to the smaller unit, which may complete a larger one.
    let rounded = (seconds + next / 2) / next * next;
    if rounded != seconds {
        return span(Duration::from_secs(rounded));
    }
    match seconds % unit / next {
        0 => format!("{} {name}", thousands(seconds / unit)),
        rest => format!("{} {name} {rest} {next_name}", thousands(seconds / unit)),
    }
}

/// An amount of money that keeps two digits when it is small.
fn dollars(amount: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an `as` saturates"
    )]
    match amount {
        a if a >= 1_000.0 => thousands(a.round() as u64),
        a if a >= 0.1 => format!("{a:.2}"),
        a => format!("{a:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::plan::sample::Sample,
        config::{self, Flags},
        forecast::{Forecast, PricePerMillion, Terms, Work},
        model::Tokens,
        personas,
        prompt::Prompts,
    };

    #[test]
    fn a_time_is_told_in_two_units() {
        for (millis, text) in [
            (0, "0.0 s"),
            (4_666, "4.7 s"),
            (12_400, "12 s"),
            (59_700, "1 min"),
            (150_000, "2 min 30 s"),
            (3_599_000, "59 min 59 s"),
            (3_600_000, "1 h"),
            (4_329_000, "1 h 12 min"),
            (86_399_000, "1 d"),
            (273_600_000, "3 d 4 h"),
            (28_857_600_000_000, "334,000 d"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text, "{millis}");
        }
    }

    #[test]
    fn money_keeps_its_digits() {
        for (amount, text) in
            [(0.00421, "0.0042"), (0.25, "0.25"), (12.345, "12.35"), (12_345.6, "12,346")]
        {
            assert_eq!(dollars(amount), text);
        }
    }

    #[test]
    fn numbers_stand_under_each_other() {
        let rows = [["", "n"], ["a", "10,000"], ["long", "7"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, [Left, Right]), "           n\na     10,000\nlong       7\n");
    }

    /// The plan of the example.
    fn example(flags: &Flags) -> Outlook {
        let base_url = Some("http://127.0.0.1:8080/v1".to_owned());
        let config = config::load_demo(&Flags { base_url, ..flags.clone() }).unwrap();
        let prompts = Prompts::compile(&config.survey).unwrap();
        let personas = personas::example();
        let sample = Sample { of: 200, personas, notes: Vec::new() };
        Outlook::new(config, &prompts, sample, None).unwrap()
    }

    #[test]
    fn a_plan_fits_the_page() {
        let plain = example(&Flags::default());
        insta::assert_snapshot!(page(&plain));

        // The largest of everything.
        let mut large = example(&Flags {
            model: Some("a-model-of-an-unusually-long-name/with-another-long-name".to_owned()),
            concurrency: Some(10_000),
            rpm: "1000000000".parse().ok(),
            tpm: "1000000000".parse().ok(),
            ..Flags::default()
        });
        large.counted = 2_000;
        large.work = Work {
            requests: 10_000_000,
            prompt_tokens: Tokens(1_500_000 * 10_000),
            shared_tokens: Tokens(1_400),
            ..large.work
        };
        for row in &mut large.rows {
            let terms = Terms {
                limits: row.limits,
                latency: Duration::from_secs(100),
                price: Some(PricePerMillion { input: 2.5, cached_input: Some(1.25), output: 10.0 }),
            };
            row.forecast = Forecast::of(&large.work, &terms);
        }
        large.warnings = vec!["a sentence about what is probably not meant ".repeat(3)];
        large.notes = vec!["a sentence about what was left out ".repeat(3)];
        insta::assert_snapshot!(page(&large));
        for line in page(&plain).lines().chain(page(&large).lines()) {
            assert!(width(line) <= COLUMNS, "{line}");
        }
    }

    #[test]
    fn the_advice_goes_with_what_binds() {
        let advice_for = |concurrency, rpm: &str, tpm: &str| {
            let flags = Flags {
                concurrency: Some(concurrency),
                rpm: rpm.parse().ok(),
                tpm: tpm.parse().ok(),
                ..Flags::default()
            };
            advice(&example(&flags).rows[0])
        };
        for (slots, rpm, tpm, words) in [
            (50, "100", "unlimited", "requests/min binds: more slots do not help"),
            (50, "unlimited", "100000", "tokens/min binds: more slots do not help"),
            (2, "100", "unlimited", "8 instead of 2"),
            (2, "unlimited", "unlimited", "more of them help"),
            (500, "unlimited", "unlimited", "nothing binds"),
        ] {
            let advice = advice_for(slots, rpm, tpm);
            assert!(advice.contains(words), "{advice}");
        }
    }

    #[test]
    fn a_paragraph_keeps_to_the_page() {
        let text = paragraph(&"word ".repeat(40), "- ");
        assert!(text.lines().all(|line| line.len() <= COLUMNS));
        assert!(text.starts_with("- word") && text.lines().nth(1).unwrap().starts_with("  word"));
    }
}
