//! From settled values to endpoints that can be asked: keys are fetched, and what is wrong with an
//! endpoint as a whole is found.

use super::{
    ConfigError, EndpointSettings, HeaderSource, KeptEndpoint, KeySource, Origin,
    endpoint_layers::Endpoint,
    finish::{rate, text},
    place::{Source, of_endpoint},
    prices::list_price,
    secrets::{Secrets, Sought},
};
use crate::model::{EndpointKind, Guessed, Limits, PerMinute, Price, Usd};
use secrecy::{ExposeSecret, SecretString};

/// An endpoint that can be asked, with what came of looking for its key.
pub(super) struct Ready {
    pub settings: EndpointSettings,
    endpoint: Endpoint,
    key: Sought,
}

/// Checks an endpoint and fetches its secrets.
pub(super) fn make_ready(
    endpoint: Endpoint,
    source: &Source,
    secrets: &mut Secrets,
    warnings: &mut Vec<String>,
) -> Result<Ready, ConfigError> {
    let (kind, _) = endpoint.kind;
    let (base_url, url_origin) = &endpoint.base_url;
    let of_another = !matches!(kind, EndpointKind::OpenAi | EndpointKind::Compatible);
    if *url_origin == Origin::Default && of_another {
        let usual = kind.usual_base_url();
        let problem = format!("is missing; {kind} is not at {base_url}: write `base_url: {usual}`");
        return Err(wrong(&endpoint, source, "base_url", url_origin, problem));
    }
    base_url
        .check_for(kind)
        .map_err(|problem| wrong(&endpoint, source, "base_url", url_origin, problem))?;

    let key = key(&endpoint, source, secrets);
    let key = secrets.or_noted(key)?;
    if !matches!(key, Sought::Absent) && base_url.is_plain_http() && !base_url.is_private() {
        warnings.push(format!(
            "the API key travels unencrypted to {base_url}; use https:// if the server has it"
        ));
    }
    let headers = headers(&endpoint, source, secrets)?;
    let settings = EndpointSettings {
        name: endpoint.shown_name(),
        kind,
        base_url: base_url.base(),
        query: base_url.query().map(str::to_owned),
        key: key.secret().cloned(),
        key_source: endpoint.key.clone(),
        model: endpoint.model.0.clone(),
        price: endpoint.price.as_ref().map(|(price, _)| *price),
        limits: Limits {
            slots: endpoint.slots.0,
            requests_per_minute: endpoint.requests.0,
            tokens_per_minute: endpoint.tokens.0,
        },
        guessed: Guessed {
            slots: endpoint.slots.1.is_guess(),
            requests_per_minute: endpoint.requests.1.is_guess(),
            tokens_per_minute: endpoint.tokens.1.is_guess(),
        },
        weight: endpoint.weight.0,
        headers,
        group: endpoint.group.as_ref().map(|(group, _)| group.clone()),
        charges_cap: endpoint.charges_cap.0,
    };
    Ok(Ready { settings, endpoint, key })
}

/// The key of an endpoint, which some may do without.
fn key(endpoint: &Endpoint, source: &Source, secrets: &mut Secrets) -> Result<Sought, ConfigError> {
    let sought = secrets.key(&endpoint.key).map_err(|problem| match endpoint.key {
        KeySource::Usual => ConfigError::Key(problem),
        _ => wrong(endpoint, source, "key", &source.origin(), problem),
    })?;
    let base_url = &endpoint.base_url.0;
    let needed = endpoint.kind.0.needs_key() && !base_url.is_private();
    match (&sought, &endpoint.name) {
        (Sought::Absent, None) if needed => {
            Err(ConfigError::NoKey { endpoint: base_url.to_string() })
        }
        (Sought::Absent, Some(_)) if needed => {
            let problem = format!(
                "{} needs a key: write `key: {{ env: OPENAI_API_KEY }}` at the endpoint, and set \
                 that variable in the environment or in a .env file",
                base_url.name()
            );
            Err(wrong(endpoint, source, "key", &source.origin(), problem))
        }
        _ => Ok(sought),
    }
}

fn headers(
    endpoint: &Endpoint,
    source: &Source,
    secrets: &mut Secrets,
) -> Result<Vec<(String, SecretString)>, ConfigError> {
    let mut headers = Vec::new();
    for (name, value) in &endpoint.headers.0 {
        let value = match value {
            HeaderSource::Text(text) => Some(SecretString::from(text.as_str())),
            HeaderSource::Secret(place) => {
                let key = format!("headers.{name}");
                let sought = secrets
                    .header(place)
                    .map_err(|problem| wrong(endpoint, source, &key, &source.origin(), problem));
                secrets.or_noted(sought)?.secret().cloned()
            }
        };
        headers.extend(value.map(|value| (name.clone(), value)));
    }
    Ok(headers)
}

/// What is wrong with a key of an endpoint: where it stands in the list, or where it came from.
fn wrong(
    endpoint: &Endpoint,
    source: &Source,
    key: &str,
    origin: &Origin,
    problem: String,
) -> ConfigError {
    match &endpoint.name {
        Some(_) => source.error(&of_endpoint(endpoint.index, key), problem),
        None => ConfigError::Value { origin: origin.clone(), problem },
    }
}

/// A budget is only as good as the prices that it is counted with.
pub(super) fn check_budget(
    endpoint: &Endpoint,
    source: &Source,
    budget: Option<&(Usd, Origin)>,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    let Some((_, origin)) = budget else { return Ok(()) };
    let (name, model) = (endpoint.shown_name(), &endpoint.model.0);
    match &endpoint.price {
        None if endpoint.name.is_some() => {
            let problem = format!(
                "is missing, and a budget cannot be kept without it: the price of {model} at {name} \
                 is not known; write `price: {{ input: 1.00, output: 2.00 }}` with the provider's \
                 US dollars per million tokens"
            );
            Err(wrong(endpoint, source, "price", origin, problem))
        }
        None => {
            let problem = format!(
                "cannot be kept: the price of {model} at {name} is not known; write `endpoints: \
                 [{{ name: main, price: {{ input: 1.00, output: 2.00 }} }}]` with the provider's US \
                 dollars per million tokens"
            );
            Err(source.error_of("budget", origin, problem))
        }
        Some((_, Origin::OwnServer)) if list_price(model).is_some() => {
            warnings.push(format!(
                "{name} has a private address, so {model} counts as free there; where it passes \
                 calls on to a provider, write its `price:` at the endpoint"
            ));
            Ok(())
        }
        Some(_) => Ok(()),
    }
}

/// Two keys of one project have one quota, which many do not know.
pub(super) fn same_quota(all: &[Ready], warnings: &mut Vec<String>) {
    let mut told = Vec::new();
    for (index, one) in all.iter().enumerate() {
        let host = |ready: &Ready| ready.endpoint.base_url.0.name();
        let alike: Vec<&Ready> = all
            .iter()
            .skip(index)
            .filter(|other| {
                other.settings.group.is_none()
                    && !matches!(other.key, Sought::Absent)
                    && other.settings.model == one.settings.model
                    && host(other) == host(one)
            })
            .collect();
        let place = (host(one), &one.settings.model);
        if one.settings.group.is_some() || alike.len() < 2 || told.contains(&place) {
            continue;
        }
        let one_key = alike.iter().all(|other| other.has_key_of(one));
        let names: Vec<_> = alike.iter().map(|ready| ready.settings.name.as_str()).collect();
        let (host, model) = (&place.0, place.1);
        warnings.push(if one_key {
            format!(
                "{} ask {host} for {model} with one key, so they have one quota, not {}; give them \
                 the same `group:`",
                list(&names),
                alike.len(),
            )
        } else {
            format!(
                "{} ask {host} for {model} with different keys; two keys of one project add nothing, \
                 as the quota is the project's: if these are of one project, give them the same \
                 `group:`",
                list(&names),
            )
        });
        told.push(place);
    }
}

impl Ready {
    /// Whether two have one key; where it was not fetched, the place tells.
    fn has_key_of(&self, other: &Self) -> bool {
        match (self.key.secret(), other.key.secret()) {
            (Some(key), Some(others)) => key.expose_secret() == others.expose_secret(),
            _ => self.settings.key_source == other.settings.key_source,
        }
    }

    /// What the run file keeps of it.
    pub(super) fn kept(&self) -> KeptEndpoint {
        let Self { settings, endpoint, .. } = self;
        let said = !matches!(endpoint.kind.1, Origin::Default | Origin::BaseUrl);
        KeptEndpoint {
            name: endpoint.name.clone(),
            kind: said.then_some(settings.kind),
            base_url: endpoint.base_url.0.to_string(),
            key: settings.key_source.clone(),
            model: settings.model.clone(),
            price: endpoint.own_price(),
            limits: settings.limits,
            guessed: settings.guessed,
            weight: settings.weight,
            headers: endpoint.headers.0.iter().cloned().collect(),
            group: settings.group.clone(),
            charges_cap: settings.charges_cap,
        }
    }

    /// Where its values came from.
    pub(super) fn origins(&self) -> [&Origin; 5] {
        let Endpoint { base_url, model, slots, requests, tokens, .. } = &self.endpoint;
        [&base_url.1, &model.1, &slots.1, &requests.1, &tokens.1]
    }

    /// Its requests a minute, and where they came from.
    pub(super) const fn requests(&self) -> &(Option<PerMinute>, Origin) {
        &self.endpoint.requests
    }

    /// Whether it stands in a list of endpoints.
    pub(super) const fn is_listed(&self) -> bool {
        self.endpoint.name.is_some()
    }

    /// Its settings, each by its key in the survey file.
    pub(super) fn shown(&self) -> Vec<(String, (String, Origin))> {
        let endpoint = &self.endpoint;
        let prefix = endpoint.name.as_ref().map_or_else(String::new, |n| format!("endpoints.{n}."));
        let mut shown = Vec::new();
        let mut show = |key: &str, value| shown.push((format!("{prefix}{key}"), value));
        show("kind", text(&endpoint.kind));
        show("base_url", text(&endpoint.base_url));
        show(if self.is_listed() { "key" } else { "api_key" }, self.shown_key());
        show("model", text(&endpoint.model));
        show("price", self.shown_price());
        show("limits.slots", text(&endpoint.slots));
        show("limits.requests_per_minute", rate(&endpoint.requests));
        show("limits.tokens_per_minute", rate(&endpoint.tokens));
        // The rest can stand in a list only.
        if endpoint.name.is_none() {
            return shown;
        }
        show("weight", text(&endpoint.weight));
        for (header, value) in &endpoint.headers.0 {
            let value = match value {
                HeaderSource::Text(text) => text.clone(),
                HeaderSource::Secret(place) => format!("from {place}"),
            };
            show(&format!("headers.{header}"), (value, endpoint.headers.1.clone()));
        }
        if let Some(group) = &endpoint.group {
            show("group", group.clone());
        }
        show("charges_cap", text(&endpoint.charges_cap));
        shown
    }

    /// Of the key only where it comes from.
    fn shown_key(&self) -> (String, Origin) {
        match &self.key {
            Sought::Found(found) => (format!("set, from {}", found.origin), found.origin.clone()),
            Sought::Absent => ("not set, and not needed here".to_owned(), Origin::Default),
            Sought::NotAsked(origin) => ("asked for when a run starts".to_owned(), origin.clone()),
            Sought::Wrong => ("missing, or not usable".to_owned(), Origin::Default),
        }
    }

    /// The price in US dollars per million tokens.
    fn shown_price(&self) -> (String, Origin) {
        let per_million = |price: &Price| match *price {
            Price::FREE => price.to_string(),
            _ => format!("{price} per million"),
        };
        self.endpoint.price.as_ref().map_or_else(
            || ("not known".to_owned(), Origin::Default),
            |(price, origin)| (per_million(price), origin.clone()),
        )
    }
}

/// `a and b`, `a, b and c`.
fn list(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.join(", "),
    }
}
