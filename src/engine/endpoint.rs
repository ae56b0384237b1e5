//! How to ask on one endpoint: its client, its price, and the dialect it has turned out to speak.

use crate::{
    cache::{CacheKey, KeyStart, Repeat},
    config::EndpointSettings,
    model::{AuthHeader, Price, Slots, Tokens, Usage, Usd},
    prompt::Form,
    provider::{
        Client, ClientError, ClientSettings, Dialect, Question, RequestTemplate, TemplateSettings,
        Unsupported,
    },
};
use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

/// One endpoint as interviews use it.
pub(super) struct Endpoint {
    pub name: String,
    pub client: Client,
    templates: ArcSwap<Templates>,
    /// Of which server, by which way, and of which model: a digest, since headers hold secrets.
    asked_of: CacheKey,
    /// What the requests of each form have in common, in the order of [`Form::ALL`].
    keys: [KeyStart; Form::COUNT],
    /// It has answered in the present dialect, and so knows it: a 400 is about something else.
    understood: AtomicBool,
    /// 403s since it last answered.
    forbidden: AtomicU32,
    /// `None` where nobody knows.
    price: Option<Price>,
    /// For calls in a batch.
    batch_price: Option<Price>,
}

/// A request of each form, in one dialect.
pub(super) struct Templates {
    dialect: Dialect,
    /// In the order of [`Form::ALL`].
    of_forms: Vec<RequestTemplate>,
}

impl Templates {
    fn new(
        settings: [TemplateSettings; Form::COUNT],
        dialect: Dialect,
    ) -> Result<Self, serde_json::Error> {
        let of_forms = settings.map(|settings| RequestTemplate::new(settings, dialect));
        Ok(Self { dialect, of_forms: of_forms.into_iter().collect::<Result<_, _>>()? })
    }

    /// The request of a form.
    pub(super) fn of(&self, form: Form) -> &RequestTemplate {
        &self.of_forms[form.ordinal()]
    }

    /// The same requests in the next dialect; `None` where there is none left.
    fn without(&self, unsupported: Unsupported) -> Option<Self> {
        let dialect = self.dialect.without(unsupported)?;
        let next = self.of_forms.iter().map(|template| template.without(unsupported));
        Some(Self { dialect, of_forms: next.collect::<Option<_>>()? })
    }
}

/// Why an endpoint cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("endpoint {name}: {source}")]
    Client { name: String, source: ClientError },
    #[error("endpoint {name}: the request could not be put into JSON: {source}")]
    Request { name: String, source: serde_json::Error },
}

impl Endpoint {
    pub(super) fn new(
        settings: &EndpointSettings,
        templates: [TemplateSettings; Form::COUNT],
        timeout: Duration,
    ) -> Result<Self, EndpointError> {
        let name = || settings.name.clone();
        let auth: AuthHeader = settings.kind.auth();
        let client = Client::new(&ClientSettings {
            base_url: &settings.base_url,
            query: settings.query.as_deref(),
            key: settings.key.as_ref(),
            auth,
            headers: &settings.headers,
            timeout,
            connections: Slots::MAX as usize,
        })
        .map_err(|source| EndpointError::Client { name: name(), source })?;
        let asked_of = asked_of(settings);
        let keys = templates.each_ref().map(|template| key_start(&asked_of, template));
        let dialect = Dialect::new(settings.kind.output_cap_field());
        let templates = Templates::new(templates, dialect)
            .map_err(|source| EndpointError::Request { name: name(), source })?;
        Ok(Self {
            name: name(),
            client,
            templates: ArcSwap::from_pointee(templates),
            asked_of,
            keys,
            understood: AtomicBool::new(false),
            forbidden: AtomicU32::new(0),
            price: settings.price,
            batch_price: settings.price.map(Price::in_batch),
        })
    }

    /// What a request is known by. It is the same in every dialect: which fields a server knows
    /// is found out anew by each run, and bears on the form of a reply, which was found good.
    pub(super) fn cache_key(
        &self,
        form: Form,
        question: &Question<'_>,
        repeat: Repeat,
    ) -> CacheKey {
        let (reply, problem) =
            question.repair.map_or(("", ""), |repair| (repair.reply, repair.problem));
        self.keys[form.ordinal()].key(
            &[
                question.user_prompt.as_bytes(),
                &question.output_cap.to_le_bytes(),
                reply.as_bytes(),
                problem.as_bytes(),
            ],
            repeat,
        )
    }

    /// Whether the other one would be asked the same model of the same server by the same way.
    pub(super) fn is_asked_the_same_as(&self, other: &Self) -> bool {
        self.asked_of == other.asked_of
    }

    /// The requests as they are asked now.
    pub(super) fn templates(&self) -> Arc<Templates> {
        self.templates.load_full()
    }

    /// The endpoint does not know a part of the request `asked`. True where there is another way
    /// to ask, which all calls take from now on; whoever finds out second changes nothing.
    pub(super) fn learn(&self, asked: &Arc<Templates>, unsupported: Unsupported) -> bool {
        if self.understood.load(Ordering::Relaxed) {
            return false;
        }
        let now = self.templates.load();
        if now.dialect != asked.dialect {
            return true;
        }
        let Some(next) = asked.without(unsupported) else { return false };
        tracing::warn!(
            "{} does not know a part of the request: it is asked with {} from now on",
            self.name,
            next.dialect.describe()
        );
        self.templates.compare_and_swap(asked, Arc::new(next));
        true
    }

    /// A completion came back, whatever is in it.
    pub(super) fn answered(&self) {
        self.understood.store(true, Ordering::Relaxed);
        self.forbidden.store(0, Ordering::Relaxed);
    }

    /// Whether it has ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.understood.load(Ordering::Relaxed)
    }

    /// A 403 came back. How many there were since an answer.
    pub(super) fn forbade(&self) -> u32 {
        self.forbidden.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// The most that a call can cost; nothing where no price is known.
    pub(super) fn most(&self, prompt: Tokens, output_cap: u32) -> Usd {
        let cap = Tokens(u64::from(output_cap));
        self.price.map_or(Usd::ZERO, |price| price.most(prompt, cap))
    }

    /// The most that a call in a batch can cost.
    pub(super) fn most_in_batch(&self, prompt: Tokens, output_cap: u32) -> Usd {
        let cap = Tokens(u64::from(output_cap));
        self.batch_price.map_or(Usd::ZERO, |price| price.most(prompt, cap))
    }

    /// What a call in a batch has cost.
    pub(super) fn cost_in_batch(&self, usage: &Usage) -> Usd {
        self.batch_price.map_or(Usd::ZERO, |price| price.cost(usage))
    }

    /// What a call has cost.
    pub(super) fn cost(&self, usage: &Usage) -> Usd {
        self.price.map_or(Usd::ZERO, |price| price.cost(usage))
    }
}

/// The server belongs to a request: two of them may call different models by the same name, and
/// what the simulated provider says is no answer of a real one. So do the query and the headers, by
/// which a gateway tells one server from another behind one address.
fn asked_of(settings: &EndpointSettings) -> CacheKey {
    let header = |(name, value): &(String, SecretString)| {
        [name.to_lowercase(), value.expose_secret().to_owned()]
    };
    let mut headers: Vec<_> = settings.headers.iter().map(header).collect();
    headers.sort_unstable();
    let headers: Vec<_> = headers.iter().flatten().map(String::as_bytes).collect();
    let query = settings.query.as_deref().unwrap_or_default();
    KeyStart::new(&[settings.base_url.as_bytes(), query.as_bytes(), settings.model.as_bytes()])
        .key(&headers, Repeat::default())
}

fn key_start(asked_of: &CacheKey, template: &TemplateSettings) -> KeyStart {
    KeyStart::new(&[
        asked_of.as_bytes(),
        &template.temperature.to_le_bytes(),
        template.system_prompt.as_bytes(),
        template.reply_schema.as_deref().map(ToString::to_string).unwrap_or_default().as_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Flags, Keys, Sources};
    use std::path::Path;

    /// The endpoint of a survey that says this of it.
    fn endpoint(said: &str) -> Endpoint {
        let text = format!("question: Q?\nendpoints: [{{ name: a, {said} }}]");
        let sources = Sources {
            survey: Path::new("survey.yaml"),
            dotenv_dir: Path::new("/nonexistent"),
            environment: &|_| None,
            flags: &Flags::default(),
            keys: Keys::LookedAt,
        };
        let config = config::load_text(&text, &sources).unwrap();
        let settings = &config.endpoints[0];
        let templates = Form::ALL.map(|_| TemplateSettings {
            model: settings.model.clone(),
            temperature: 0.7,
            system_prompt: "You are.".into(),
            reply_schema: None,
        });
        Endpoint::new(settings, templates, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn what_a_gateway_tells_servers_apart_by_belongs_to_a_request() {
        const URL: &str = "base_url: 'https://gate.example/v1";
        let question = Question { user_prompt: "Ada", output_cap: 600, repair: None };
        let key =
            |endpoint: &Endpoint| endpoint.cache_key(Form::Answer, &question, Repeat::default());
        let plain = endpoint(&format!("{URL}'"));
        let routed = endpoint(&format!("{URL}', headers: {{ X-To: eu, X-Team: b }}"));
        let same = endpoint(&format!("{URL}', headers: {{ x-team: b, x-to: eu }}"));
        assert!(key(&routed) == key(&same) && routed.is_asked_the_same_as(&same));
        for other in [
            endpoint(&format!("{URL}', headers: {{ X-To: us, X-Team: b }}")),
            endpoint(&format!("{URL}?api-version=2024-10-21', kind: azure")),
            endpoint(&format!("{URL}?api-version=2025-01-01', kind: azure")),
            plain,
        ] {
            assert_ne!(key(&routed), key(&other));
            assert!(!routed.is_asked_the_same_as(&other));
        }
    }
}
