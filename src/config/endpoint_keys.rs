//! The list of endpoints of a survey file: its keys, and what must hold between its members.

use super::{
    ConfigError,
    base_url::BaseUrl,
    headers::Headers,
    key_source::KeyPlace,
    place::{Source, of_endpoint},
    prices::PriceKeys,
    scalar::{Checked, Line, Rate, Scalar, Switch, Whole, deserialize_checked, nearest, quoted},
    survey_file::LimitKeys,
};
use crate::model::EndpointKind;
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use std::fmt;

/// The most endpoints of a survey.
const MOST: usize = 100;

/// The longest name, so that a screen can show it.
const LONGEST_NAME: usize = 40;

/// The keys of one endpoint; what is left out comes from the top of the file.
#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an endpoint such as {name: main, base_url: https://..., key: {env: OPENAI_API_KEY}}"
)]
pub(super) struct EndpointKeys {
    pub name: Name,
    pub kind: Option<Kind>,
    pub base_url: Option<BaseUrl>,
    pub key: Option<KeyPlace>,
    pub model: Option<Line>,
    pub price: Option<PriceKeys>,
    #[serde(default)]
    pub limits: LimitKeys,
    pub weight: Option<Whole<1, 1_000>>,
    #[serde(default)]
    pub headers: Headers,
    pub group: Option<Name>,
    pub charges_cap: Option<Switch>,
}

deserialize_checked!([] Name, [] Kind);

/// The name of an endpoint or of a group.
#[derive(Debug)]
pub(super) struct Name(pub String);

impl Checked for Name {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let Line(name) = Line::check(value)?;
        match name.chars().count() {
            0..=LONGEST_NAME => Ok(Self(name)),
            many => Err(format!("must have at most {LONGEST_NAME} characters, not {many}")),
        }
    }
}

#[derive(Debug)]
pub(super) struct Kind(pub EndpointKind);

impl Checked for Kind {
    fn check(value: Scalar<'_>) -> Result<Self, String> {
        let names = EndpointKind::ALL.map(EndpointKind::as_str);
        let word = match value {
            Scalar::Text(text) => text.trim().to_lowercase(),
            _ => String::new(),
        };
        let kind = EndpointKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        kind.map(Self).ok_or_else(|| {
            let hint = nearest(&word, &names).map(|near| format!("; did you mean {near}?"));
            format!("must be one of {}, not {value}{}", names.join(", "), hint.unwrap_or_default())
        })
    }
}

/// The endpoints of a file, in its order.
#[derive(Debug)]
pub(super) struct Endpoints(pub Vec<EndpointKeys>);

impl<'de> Deserialize<'de> for Endpoints {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct EndpointsVisitor;

        impl<'de> Visitor<'de> for EndpointsVisitor {
            type Value = Endpoints;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, one `- name: ...` an endpoint")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Endpoints, A::Error> {
                let mut endpoints = Vec::new();
                while let Some(endpoint) = list.next_element()? {
                    endpoints.push(endpoint);
                }
                Ok(Endpoints(endpoints))
            }
        }

        from.deserialize_seq(EndpointsVisitor)
    }
}

/// What no value shows on its own: names, kinds that go with URLs, and groups.
pub(super) fn check(
    endpoints: &[EndpointKeys],
    shared_model: Option<&str>,
    source: &Source,
) -> Result<(), ConfigError> {
    if !(1..=MOST).contains(&endpoints.len()) {
        let problem = match endpoints.len() {
            0 => "has no endpoint; add one, or take the key out".to_owned(),
            many => format!("has {many} endpoints; {MOST} are the most"),
        };
        return Err(source.error(&of_endpoint(0, "")[..1], problem));
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let wrong = |key: &str, problem| source.error(&of_endpoint(index, key), problem);
        let before = endpoints.get(..index).unwrap_or_default();
        check_name(endpoint, before).map_err(|problem| wrong("name", problem))?;
        let kind = endpoint.kind.as_ref().map(|kind| kind.0);
        if let Some(url) = &endpoint.base_url {
            let kind = kind.or(url.kind()).unwrap_or_default();
            url.check_for(kind).map_err(|problem| wrong("base_url", problem))?;
        }
        for (key, rate) in RATES {
            let others = before.iter().filter(|other| share_quota(other, endpoint, shared_model));
            check_rate(endpoint, others, key, rate).map_err(|problem| wrong(key, problem))?;
        }
    }
    Ok(())
}

fn check_name(new: &EndpointKeys, before: &[EndpointKeys]) -> Result<(), String> {
    let name = new.name.0.to_lowercase();
    match before.iter().position(|other| other.name.0.to_lowercase() == name) {
        Some(other) => Err(format!(
            "{} is the name of endpoints[{other}] already; give each endpoint a name of its own",
            quoted(&new.name.0)
        )),
        None => Ok(()),
    }
}

type RateKey = fn(&LimitKeys) -> Option<Rate>;

/// The limits that the members of a group share.
const RATES: [(&str, RateKey); 2] = [
    ("limits.requests_per_minute", |limits| limits.requests_per_minute),
    ("limits.tokens_per_minute", |limits| limits.tokens_per_minute),
];

/// Whether two are of one group, and ask for the same model as far as the survey says.
fn share_quota(one: &EndpointKeys, other: &EndpointKeys, shared_model: Option<&str>) -> bool {
    let group = |keys: &EndpointKeys| keys.group.as_ref().map(|name| name.0.clone());
    let model = |keys: &EndpointKeys| {
        keys.model.as_ref().map(|line| line.0.clone()).or(shared_model.map(str::to_owned))
    };
    group(one).is_some() && group(one) == group(other) && model(one) == model(other)
}

/// A group has one quota for each model, so those who share it may not name two.
fn check_rate<'k>(
    new: &EndpointKeys,
    mut others: impl Iterator<Item = &'k EndpointKeys>,
    key: &str,
    rate: RateKey,
) -> Result<(), String> {
    let (Some(group), Some(own)) = (&new.group, rate(&new.limits)) else { return Ok(()) };
    let other = others.find_map(|other| Some((other, rate(&other.limits)?)));
    match other {
        Some((other, rate)) if rate != own => Err(format!(
            "{own} of {} differs from {rate} of {}, and both are of group {}, which has one quota \
             for each model; write {key} at one of them only",
            quoted(&new.name.0),
            quoted(&other.name.0),
            quoted(&group.0),
        )),
        _ => Ok(()),
    }
}
