//! A provider that knows whom it is asked about, and does to each what the test wants.

use crate::common::{
    provider::{HostileServer, Reply},
    voxpop::PATIENCE,
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Instant,
};

/// One request, as the script sees it.
pub struct Asked<'a> {
    /// The name that stands in the prompt.
    pub name: &'a str,
    /// How often this person was asked, this time included.
    pub times: usize,
    /// The request's place among all, from 1.
    pub number: usize,
}

/// The provider.
pub struct Provider {
    pub server: HostileServer,
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

impl Provider {
    /// Starts it; the script says what each request gets.
    pub fn start(script: impl Fn(&Asked<'_>) -> Reply + Send + Sync + 'static) -> Self {
        let asked = Arc::<Mutex<HashMap<String, usize>>>::default();
        let counts = Arc::clone(&asked);
        let server = HostileServer::start(move |number, body| {
            let name = name_in(body);
            let times = {
                let mut counts = counts.lock().unwrap();
                let times = counts.entry(name.clone()).or_default();
                *times += 1;
                *times
            };
            script(&Asked { name: &name, times, number: number.0 })
        });
        Self { server, asked }
    }

    /// One that answers everybody.
    pub fn kind() -> Self {
        Self::start(|asked| answer_of(asked.name))
    }

    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// How often a person was asked.
    pub fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    /// Waits until so many requests have arrived in all.
    pub fn wait_for(&self, count: usize) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without I/O can be had")
            .block_on(self.server.wait_for(count, PATIENCE));
    }

    /// When each request arrived, and whom it was about.
    pub fn arrivals(&self) -> Vec<(Instant, String)> {
        let received = self.server.received();
        received.iter().map(|request| (request.at, name_in(&request.body))).collect()
    }
}

/// The name in the profile that a request holds.
pub fn name_in(body: &str) -> String {
    let body: Value = serde_json::from_str(body).expect("every request is JSON");
    // Behind it may stand an answer that is to be repaired, and what is wrong with it.
    let prompt = body["messages"][1]["content"].as_str().unwrap_or_default().to_owned();
    let name = prompt.lines().find_map(|line| line.strip_prefix("Name: "));
    name.expect("every prompt holds the persona's name").to_owned()
}

/// The answer that is this person's and nobody else's.
pub fn answer_of(name: &str) -> Reply {
    Reply::content(&answer_text(name, &narrative_of(name)))
}

/// What this person says.
pub fn narrative_of(name: &str) -> String {
    format!("I am {name}. It is so. I think so. I said so. That is all.")
}

/// An answer with this narrative.
pub fn answer_text(name: &str, narrative: &str) -> String {
    let level = level_of(name);
    json!({
        "narrative": narrative,
        "survey": {
            "support_level": level,
            "housing": 6 - level,
            "public_transport": level,
            "key_concerns": [format!("what {name} worries about")],
            "suggested_improvements": [format!("what {name} would like")],
        }
    })
    .to_string()
}

/// The support level of this person.
pub fn level_of(name: &str) -> u64 {
    1 + name.bytes().map(u64::from).sum::<u64>() % 5
}

/// Checks that a record of an export has this person's own answer.
pub fn assert_own_answer(record: &Value, name: &str) {
    let answer = &record["answer"];
    assert_eq!(answer["narrative"], json!(narrative_of(name)), "{record}");
    let grid = &answer["survey"];
    assert_eq!(grid["support_level"], json!(level_of(name)), "{record}");
    assert_eq!(grid["housing"], json!(6 - level_of(name)), "{record}");
    assert_eq!(grid["key_concerns"], json!([format!("what {name} worries about")]), "{record}");
}
