//! A plan as one JSON object.

use super::outlook::{Latency, Outlook, Row, Under};
use serde_json::{Value, json};

pub(super) fn object(outlook: &Outlook) -> Value {
    let set = &outlook.rows[0].forecast;
    let work = &outlook.work;
    json!({
        "survey": outlook.survey,
        "model": outlook.model,
        "endpoint": outlook.endpoint,
        "requests": work.requests,
        "prompt_tokens": work.prompt_tokens,
        "shared_prompt_tokens": work.shared_tokens,
        "output_tokens": {"low": set.output.low, "high": set.output.high, "cap": set.output.cap},
        "cost_usd": set.cost.map(|cost| json!({
            "low": cost.low, "high": cost.high, "cap": cost.cap,
        })),
        "counted_personas": outlook.counted,
        "vocabulary_is_the_models_own": outlook.exact,
        "latency_seconds": outlook.latency.get().as_secs_f64(),
        "latency_is_assumed": matches!(outlook.latency, Latency::Usual(_)),
        "limits": outlook.rows.iter().map(row).collect::<Vec<_>>(),
        "warnings": outlook.warnings,
        "notes": outlook.notes,
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
