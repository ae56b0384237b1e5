//! What a plan takes for granted, one sentence each.

use super::{
    layout::{names, span},
    outlook::{EndpointRow, Latency, Outlook},
};
use crate::{
    forecast::PRICED_PREFIX,
    model::{PerMinute, Price},
    ui::format::thousands,
};

pub(super) fn assumptions(outlook: &Outlook) -> Vec<String> {
    let work = &outlook.work;
    let several = outlook.endpoints.len() > 1;
    let mut lines = vec![
        format!("prompt tokens: {}; chat format and JSON schema are included", counted(outlook)),
        format!(
            "answers: a narrative of 5 to 10 sentences with its grid{}; times are for {} tokens",
            match (outlook.reviewed, outlook.parts.summary.is_some()) {
                (true, true) => ", the critics' verdicts, and the summary's digests",
                (true, false) => ", and the critics' verdicts",
                (false, true) => ", and the summary's digests",
                (false, false) => "",
            },
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
        tokens_per_minute(outlook),
    ];
    lines.extend(prices(&outlook.endpoints));
    if several {
        lines.push(
            "each endpoint carries as much as its limits let through; the rates of a group count \
             once, and its members share them by weight"
                .into(),
        );
    }
    if outlook.follows {
        lines.push(
            "limits that nobody has spelled out are where the run starts; from there they follow \
             what the provider shows of itself"
                .into(),
        );
    }
    lines.extend([
        "slots wanted: rate x latency (Little's law) for the rate that requests/min and \
         tokens/min allow; slow answers want a few more"
            .into(),
        format!(
            "its ceiling: the most requests/min that the plan allows, with the slots wanted{}",
            if several { "; plans are for one key" } else { "" }
        ),
    ]);
    if outlook.parts.summary.is_some() {
        lines.push(
            "the summary: one request for every 50 answers, and one for all where those are \
             several; one by one and at the full price, also where the rest is in batches"
                .into(),
        );
    }
    lines.push(on_top(outlook));
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

/// What is not counted, since nobody can know how often it is wanted.
fn on_top(outlook: &Outlook) -> String {
    let follow_ups = match outlook.follow_ups {
        0 => None,
        most => Some(format!("follow-ups (up to {most} a persona)")),
    };
    let mut all = Vec::from_iter(follow_ups);
    if outlook.reviewed {
        all.extend(["mending", "second looks of critics"].map(str::to_owned));
    }
    if outlook.pack > 1 {
        all.push("whoever a pack leaves out".to_owned());
    }
    let all = match all.join(", ") {
        none if none.is_empty() => none,
        all => format!("{all} and "),
    };
    format!("nothing is asked twice; on top come {all}retries")
}

fn counted(outlook: &Outlook) -> String {
    let everybody = u64::from(outlook.counted) == outlook.personas;
    let of = if everybody {
        "for every persona".to_owned()
    } else {
        format!("for {} personas drawn from all", thousands(outlook.counted.into()))
    };
    let model = &outlook.first().model;
    let others = names(outlook.uncounted.iter().cloned());
    match &outlook.uncounted[..] {
        [] => format!("counted with the vocabulary of {model} {of}"),
        uncounted if uncounted.contains(model) => format!(
            "estimated with the vocabulary of gpt-4o {of}, perhaps a fifth too many or too few, \
             since that of {others} is not known"
        ),
        _ => format!(
            "counted with the vocabulary of {model} {of}, and perhaps a fifth too many or too few \
             for {others}"
        ),
    }
}

fn tokens_per_minute(outlook: &Outlook) -> String {
    let work = &outlook.work;
    let first = &outlook.first().sharer.terms;
    let cap = match thousands(work.output.cap) {
        cap if work.output.cap == outlook.cap => format!("the cap of {cap} for every answer"),
        average => format!("the cap of every request ({average} on average)"),
    };
    let charging = outlook.endpoints.iter().filter(|endpoint| endpoint.sharer.terms.charges_cap);
    let charging = names(charging.map(|endpoint| endpoint.name.clone()));
    let limit = first.limits.tokens_per_minute.map(PerMinute::get);
    if outlook.endpoints.len() > 1 {
        let plans = limit.map_or_else(|| "unlimited".to_owned(), |limit| thousands(limit.into()));
        let charging = match charging.as_str() {
            "" => String::new(),
            names => format!(", at {names} by {cap}"),
        };
        return format!(
            "tokens/min: taken by prompts and answers{charging}; {plans} in the rows of plans, as \
             at {}",
            outlook.first().name
        );
    }
    match limit {
        Some(limit) if first.charges_cap => format!(
            "tokens/min: {} in every row, taken by prompts and by {cap}",
            thousands(limit.into())
        ),
        Some(limit) => format!(
            "tokens/min: {} in every row, taken by prompts and answers; a provider that takes \
             {cap} lets at most {} requests/min through",
            thousands(limit.into()),
            thousands(u64::from(limit) / (work.prompt_each() + work.output.cap).max(1))
        ),
        None => "tokens/min: unlimited in every row; --tpm says what your account has".into(),
    }
}

/// The prices that are known, and where each holds.
fn prices(endpoints: &[EndpointRow]) -> Vec<String> {
    let mut known: Vec<(Price, Vec<String>)> = Vec::new();
    for endpoint in endpoints {
        let Some(price) = endpoint.sharer.terms.price else { continue };
        let name = endpoint.name.clone();
        match known.iter_mut().find(|(other, _)| *other == price) {
            Some((_, names)) => names.push(name),
            None => known.push((price, vec![name])),
        }
    }
    let told = |(price, at): (Price, Vec<String>)| {
        let price = match price {
            Price::FREE => price.to_string(),
            _ => format!("{price} per million tokens"),
        };
        format!("price at {}: {price}", names(at))
    };
    known.into_iter().map(told).collect()
}
