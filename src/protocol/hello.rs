//! What the two ends of a socket say to each other: the hellos, and all that follows.

use super::{Command, PROTOCOL_VERSION, Update};
use crate::model::{RunPhase, RunSummary};
use serde::{Deserialize, Serialize};

/// What a front end may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at the run and at its personas.
    Watch,
    /// Steer it as well.
    Control,
}

/// The first thing that a front end says. Its form never changes, but for fields that an older
/// engine passes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub voxpop_version: String,
    pub role: Role,
    /// Whether it still looks, and may order, once the run is over.
    pub stays: bool,
}

/// The answer to a hello that is welcome. Its form never changes either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub protocol: u32,
    pub voxpop_version: String,
    /// The run's name.
    pub run: String,
}

/// What a front end says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromFrontEnd {
    Hello(Hello),
    Ordered(Command),
    /// It leaves, and waits only to hear how the run has ended.
    Leaving,
}

/// What an engine says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromEngine {
    Welcome(Welcome),
    /// The connection ends here; the sentence says why and what to do instead.
    Refused {
        why: String,
    },
    Update(Update),
    /// The last word: the run file is closed.
    Farewell(Farewell),
}

/// How an engine ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Farewell {
    Ended { summary: RunSummary, phase: RunPhase },
    Failed { why: String },
}

impl Hello {
    /// The hello of this program.
    pub fn new(role: Role, stays: bool) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            voxpop_version: env!("CARGO_PKG_VERSION").to_owned(),
            role,
            stays,
        }
    }

    /// Why an engine of this program cannot talk to that front end, if it cannot.
    pub fn misfit(&self) -> Option<String> {
        (self.protocol != PROTOCOL_VERSION).then(|| {
            format!(
                "the run's engine is voxpop {} (protocol {PROTOCOL_VERSION}) and this dashboard \
                 is voxpop {} (protocol {}): attach with the voxpop that started the run",
                env!("CARGO_PKG_VERSION"),
                self.voxpop_version,
                self.protocol
            )
        })
    }
}

impl Welcome {
    /// The welcome of this program.
    pub fn new(run: &str) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            voxpop_version: env!("CARGO_PKG_VERSION").to_owned(),
            run: run.to_owned(),
        }
    }
}
