//! A plan as one JSON object.

use super::outlook::{Budget, EndpointRow, Latency, Outlook, Row, Under};
use crate::forecast::Cost;
use serde_json::{Value, json};

pub(super) fn object(outlook: &Outlook) -> Value {
    let set = &outlook.rows[0].forecast;
    let work = &outlook.work;
    json!({
        "survey": outlook.survey,
        "requests": work.requests,
        "requests_per_persona": outlook.calls_each,
        "requests_for": {
            "answers": outlook.parts.answers.requests,
            "reviews": outlook.parts.reviews.map_or(0, |work| work.requests),
            "summary": outlook.parts.summary.map_or(0, |work| work.requests),
        },
        "pack": outlook.pack,
        "prompt_tokens": work.prompt_tokens,
        "shared_prompt_tokens": work.shared_tokens,
        "output_tokens": {"low": set.output.low, "high": set.output.high, "cap": set.output.cap},
        "cost_usd": set.cost.as_ref().map(cost),
        "budget": outlook.budget.as_ref().map(budget),
        "in_batches": outlook.in_batches.as_ref().map(|batches| json!({
            "endpoint": batches.endpoint,
            "on": batches.on,
            "percent_of_price": batches.percent,
            "cost_usd": batches.cost.as_ref().map(cost),
        })),
        "counted_personas": outlook.counted,
        "vocabulary_is_the_models_own": outlook.uncounted.is_empty(),
        "latency_seconds": outlook.latency.get().as_secs_f64(),
        "latency_is_assumed": matches!(outlook.latency, Latency::Usual(_)),
        "limits": outlook.rows.iter().map(row).collect::<Vec<_>>(),
        "endpoints": outlook.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        "warnings": outlook.warnings,
        "notes": outlook.notes,
    })
}

fn cost(cost: &Cost) -> Value {
    json!({"low": cost.low.dollars(), "high": cost.high.dollars(), "cap": cost.cap.dollars()})
}

fn budget(budget: &Budget) -> Value {
    json!({
        "usd": budget.amount.dollars(),
        "enough": budget.reach.enough.as_str(),
        "interviews": budget.reach.interviews.map(|paid| json!({
            "low": paid.most, "high": paid.usual, "cap": paid.at_cap,
        })),
    })
}

fn row(row: &Row) -> Value {
    let (plan, of) = match row.under {
        Under::Set => (None, "set"),
        Under::Plan(name) => (Some(name), "plan"),
        Under::Ceiling(name) => (Some(name), "ceiling"),
    };
    json!({
        "of": of,
        "plan": plan,
        "slots": row.limits.slots,
        "requests_per_minute": row.limits.requests_per_minute,
        "tokens_per_minute": row.limits.tokens_per_minute,
        "seconds": row.forecast.time.as_secs_f64(),
        "binds": row.forecast.binds.as_str(),
        "slots_wanted": row.forecast.slots_wanted,
    })
}

fn endpoint(endpoint: &EndpointRow) -> Value {
    let limits = &endpoint.sharer.terms.limits;
    json!({
        "name": endpoint.name,
        "model": endpoint.model,
        "group": endpoint.sharer.quota.as_ref().map(|quota| &quota.group),
        "slots": limits.slots,
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "requests": endpoint.forecast.requests,
        "seconds": endpoint.forecast.time.as_secs_f64(),
        "binds": endpoint.forecast.binds.as_str(),
        "slots_wanted": endpoint.forecast.slots_wanted,
        "cost_usd": endpoint.forecast.cost.as_ref().map(cost),
    })
}
