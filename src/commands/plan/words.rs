//! A plan for people, in 80 columns.

use super::{
    advice::{advice, budget},
    assumptions::assumptions,
    batches::in_batches,
    layout::{
        Side::{Left, Right},
        money, names, paragraph, range, room_for_first, span, table,
    },
    outlook::{Outlook, Under},
    work::Parts,
};
use crate::{
    forecast::Cost,
    model::{PerMinute, Usd},
    ui::{
        format::{percent, plural, thousands},
        text::fit,
    },
};

/// How much is left of the name of an endpoint, however wide the numbers are.
const SHORTEST_NAME: usize = 8;

pub(super) fn page(outlook: &Outlook) -> String {
    let requests = plural(outlook.work.requests, "request", "requests");
    let to = match &outlook.endpoints[..] {
        [only] => format!("{} at {}", only.model, only.name),
        several => {
            let all = names(several.iter().map(|endpoint| endpoint.name.clone()));
            format!("{} endpoints, {all}", several.len())
        }
    };
    let what = requests_for(outlook);
    let mut page = paragraph(&format!("{}: {requests}{what} to {to}", outlook.survey), "");
    page += &format!("\n{}\n{}\n", amounts(outlook), times(outlook));
    if outlook.endpoints.len() > 1 {
        page += &format!("{}\n", endpoints(outlook));
    }
    page += &format!("{}\n", paragraph(&advice(&outlook.endpoints), ""));
    if let Some(budget) = budget(outlook) {
        page += &format!("{}\n", paragraph(&budget, "budget: "));
    }
    if let Some(batches) = in_batches(outlook) {
        page += &format!("{}\n", paragraph(&batches, "batches: "));
    }
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

/// What the requests are for, where it is not one for each persona.
fn requests_for(outlook: &Outlook) -> String {
    let Parts { answers, reviews, summary } = &outlook.parts;
    let answers = thousands(answers.requests);
    let mut all = vec![match outlook.pack {
        1 => format!("{answers} for answers"),
        pack => format!("{answers} for answers, {pack} in each"),
    }];
    all.extend(reviews.map(|work| format!("{} for reviews", thousands(work.requests))));
    all.extend(summary.map(|work| format!("{} for the summary", thousands(work.requests))));
    if all.len() == 1 && outlook.pack == 1 {
        return String::new();
    }
    format!(" ({})", all.join(", "))
}

fn amounts(outlook: &Outlook) -> String {
    let work = &outlook.work;
    let all = &outlook.rows[0].forecast;
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
            range(thousands(work.output.low), thousands(work.output.high)),
            range(thousands(all.output.low), thousands(all.output.high)),
            thousands(all.output.cap),
        ],
    ];
    if let Some(Cost { low, high, cap }) = all.cost {
        let free = cap == Usd::ZERO;
        let told = |amount: Usd| if free { "free".to_owned() } else { money(amount) };
        rows.push(["cost".into(), String::new(), range(told(low), told(high)), told(cap)]);
    }
    let mut text = table(&rows, [Left, Right, Right, Right]);
    if all.cost.is_none() {
        text += &paragraph(&unknown_cost(outlook), "cost: ");
    }
    text
}

/// Why the cost is not known, and what can be done.
fn unknown_cost(outlook: &Outlook) -> String {
    let priceless: Vec<_> =
        outlook.endpoints.iter().filter(|endpoint| endpoint.sharer.terms.price.is_none()).collect();
    let of = names(priceless.iter().map(|e| format!("{} at {}", e.model, e.name)));
    let price = "price: { input: 1.00, output: 2.00 }";
    let remedy = match priceless.first() {
        Some(endpoint) if !endpoint.is_listed => {
            format!("`endpoints: [{{ name: main, {price} }}]` in the survey")
        }
        _ => format!("`{price}` at the endpoint"),
    };
    format!(
        "unknown, as there is no price for {of}; write {remedy}, with the provider's US dollars per \
         million tokens"
    )
}

fn times(outlook: &Outlook) -> String {
    let head = ["limits", "slots", "requests/min", "time", "binds", "slots wanted"];
    let mut rows = vec![head.map(str::to_owned)];
    for row in &outlook.rows {
        rows.push([
            match row.under {
                Under::Set => "as set".to_owned(),
                Under::Plan(name) => name.to_owned(),
                Under::Ceiling(_) => "  its ceiling".to_owned(),
            },
            thousands(row.limits.slots),
            rate(row.limits.requests_per_minute),
            span(row.forecast.time),
            row.forecast.binds.label().to_owned(),
            row.forecast.slots_wanted.map_or_else(|| "any".to_owned(), thousands),
        ]);
    }
    table(&rows, [Left, Right, Right, Right, Left, Right])
}

/// What each of several endpoints may do as set, and what it carries.
fn endpoints(outlook: &Outlook) -> String {
    let head = ["as set", "slots", "requests/min", "tokens/min", "carries", "binds"];
    let mut rows = vec![head.map(str::to_owned)];
    let mut told = Vec::new();
    for endpoint in &outlook.endpoints {
        let limits = &endpoint.sharer.terms.limits;
        let quota = endpoint.sharer.quota.as_ref();
        // The rates of a quota are those of all together who share it.
        let shared = quota.is_some_and(|quota| told.contains(&quota));
        told.extend(quota);
        let rate = |limit: Option<PerMinute>| match shared {
            true => "shared".to_owned(),
            false => rate(limit.map(|limit| limit.get().into())),
        };
        rows.push([
            String::new(),
            thousands(limits.slots.get().into()),
            rate(limits.requests_per_minute),
            rate(limits.tokens_per_minute),
            format!("{} %", percent(endpoint.forecast.requests, outlook.work.requests)),
            match endpoint.forecast.requests {
                0 => "-".to_owned(),
                _ => endpoint.forecast.binds.label().to_owned(),
            },
        ]);
    }
    let room = room_for_first(&rows).max(SHORTEST_NAME);
    for (row, endpoint) in rows.iter_mut().skip(1).zip(&outlook.endpoints) {
        row[0] = fit(&endpoint.name, room, "...");
    }
    table(&rows, [Left, Right, Right, Right, Right, Left])
}

fn rate(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), thousands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::plan::{layout::COLUMNS, sample::Sample},
        config::{self, EXAMPLE_SURVEY, Flags, Keys, Sources},
        forecast::{Forecast, Terms, Work},
        model::{Limits, Price, Slots, Tokens},
        personas,
        prompt::Prompts,
        ui::text::width,
    };
    use std::{path::Path, time::Duration};

    /// The plan of a survey for the bundled personas.
    fn plan_of(survey: &str, flags: &Flags) -> Outlook {
        let sources = Sources {
            survey: Path::new("survey.yaml"),
            dotenv_dir: Path::new("/nonexistent"),
            environment: &|_| None,
            flags,
            keys: Keys::LookedAt,
        };
        let config = config::load_text(survey, &sources).unwrap();
        let prompts = Prompts::compile(&config.survey).unwrap();
        Outlook::new(config, &prompts, Sample::of(personas::example()), None).unwrap()
    }

    /// The plan of the example.
    fn example(flags: &Flags) -> Outlook {
        plan_of(EXAMPLE_SURVEY, flags)
    }

    /// The plan of the example with one call a persona.
    fn without_review(flags: &Flags) -> Outlook {
        plan_of(&EXAMPLE_SURVEY.replace("review: fused", "review: off"), flags)
    }

    const SEVERAL: &str = "\
question: Should the council stop requiring a minimum number of car spaces in new buildings?
budget: 0.05
review: off
endpoints:
  - name: main
    group: project-a
    limits: { slots: 20, requests_per_minute: 500, tokens_per_minute: 200000 }
    weight: 2
  - { name: backup, key: { env: KEY_B }, group: project-a }
  - { name: gpu, base_url: 'http://10.0.0.5:8000/v1', model: llama, limits: { slots: 2 } }
  - { name: a name that goes on for quite a long way, model: gpt-4o, charges_cap: true }
";

    fn assert_fits(page: &str) {
        for line in page.lines() {
            assert!(width(line) <= COLUMNS, "{line}");
        }
    }

    #[test]
    fn a_plan_fits_the_page() {
        let plain = page(&example(&Flags::default()));
        insta::assert_snapshot!(plain);
        assert_fits(&plain);

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
        let usd = |text: &str| text.parse().unwrap();
        let price = Price {
            input: usd("2.5"),
            cached_input: usd("1.25"),
            output: usd("10"),
            ..Price::FREE
        };
        let with = |limits| Terms {
            limits,
            latency: Duration::from_secs(100),
            price: Some(price),
            charges_cap: false,
        };
        let rate = |rate: u64| PerMinute::clamped(rate.try_into().unwrap());
        for row in &mut large.rows {
            let limits = Limits {
                slots: Slots::clamped(row.limits.slots.try_into().unwrap()),
                requests_per_minute: row.limits.requests_per_minute.map(rate),
                tokens_per_minute: row.limits.tokens_per_minute.map(rate),
            };
            row.forecast = Forecast::of(&large.work, &with(limits));
        }
        let only = &mut large.endpoints[0];
        only.sharer.terms = with(only.sharer.terms.limits);
        only.forecast = Forecast::of(&large.work, &only.sharer.terms);
        large.warnings = vec!["a sentence about what is probably not meant ".repeat(3)];
        large.notes = vec!["a sentence about what was left out ".repeat(3)];
        let large = page(&large);
        insta::assert_snapshot!(large);
        assert_fits(&large);
    }

    #[test]
    fn the_plan_of_several_endpoints_fits_the_page() {
        let several = page(&plan_of(SEVERAL, &Flags::default()));
        insta::assert_snapshot!(several);
        assert_fits(&several);
        let widest = Flags {
            rpm: "1000000000".parse().ok(),
            tpm: "1000000000".parse().ok(),
            concurrency: Some(10_000),
            ..Flags::default()
        };
        assert_fits(&page(&plan_of(SEVERAL, &widest)));
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
            advice(&without_review(&flags).endpoints)
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
        let flags = Flags { concurrency: Some(1), ..Flags::default() };
        let advice = advice(&plan_of(SEVERAL, &flags).endpoints);
        assert!(advice.starts_with("As set, slots bind at main ("), "{advice}");
        assert!(advice.contains(" instead of 1)"), "{advice}");
    }

    #[test]
    fn a_budget_is_told_how_far_it_goes() {
        for (amount, words) in [
            ("5", "is enough, even where every answer goes up to its cap"),
            ("0.08", "is enough for answers as they usually are"),
            ("0.06", "is enough only if answers are short"),
            ("0.01", "is not enough; it takes about $0.073"),
        ] {
            let flags = Flags { budget: Some(amount.to_owned()), ..Flags::default() };
            let text = budget(&without_review(&flags)).unwrap();
            assert!(text.contains(words), "{text}");
        }
        let free = Flags {
            budget: Some("1".to_owned()),
            base_url: Some("http://10.0.0.5:8000/v1".to_owned()),
            ..Flags::default()
        };
        assert_eq!(
            budget(&without_review(&free)).unwrap(),
            "$1.00 is enough: the calls cost nothing."
        );
        assert_eq!(budget(&example(&Flags::default())), None);
    }

    #[test]
    fn an_unknown_price_is_told_the_remedy() {
        let flags = Flags { model: Some("ours".to_owned()), ..Flags::default() };
        let text = page(&example(&flags));
        assert!(text.contains("cost: unknown, as there is no price for ours at api.openai.com"));
        assert!(text.contains("`endpoints: [{ name: main,"), "{text}");
        let listed = "question: Q\nendpoints: [{ name: a }, { name: b, model: ours }]";
        let text = page(&plan_of(listed, &Flags::default())).replace('\n', " ");
        assert!(text.contains("no price for ours at b; write"), "{text}");
    }
}
