//! What the runner knows of a batch that is not in its record.

use super::line::Carried;
use crate::{
    engine::{endpoint::Templates, ledger::Reservation},
    model::{EndpointIndex, PersonaIndex, UnixMillis, Usd},
    protocol::BatchMeter,
};
use std::{collections::HashMap, sync::Arc};
use tokio::time::Instant;

/// What belongs to a batch besides its record.
pub(super) struct Meta {
    pub number: u32,
    pub endpoint: EndpointIndex,
    pub made_at: UnixMillis,
    pub most: Usd,
    /// What is set aside for it.
    pub money: Option<Reservation>,
    /// What its lines have cost, as far as they were read by this process.
    pub cost: Usd,
    /// How its lines ask. Where an earlier process wrote them, it is what their endpoint was first
    /// asked with by this one.
    pub templates: Arc<Templates>,
    pub due: Instant,
    /// Exchanges that failed, one after the other.
    pub failures: u32,
    pub note: Option<String>,
    /// How often the provider had no room for it, while nothing else of ours waited.
    pub crowded_out: u32,
    /// It was to be cancelled: where the provider does not let it be, it is as good as over.
    pub cancel_tried: bool,
    /// What the calls that are asked again carry over; all others carry nothing.
    pub carried: HashMap<PersonaIndex, Carried>,
    pub shown: Option<BatchMeter>,
}

impl Meta {
    pub(super) fn new(
        number: u32,
        endpoint: EndpointIndex,
        made_at: UnixMillis,
        most: Usd,
        templates: Arc<Templates>,
    ) -> Self {
        Self {
            number,
            endpoint,
            made_at,
            most,
            money: None,
            cost: Usd::ZERO,
            templates,
            due: Instant::now(),
            failures: 0,
            note: None,
            crowded_out: 0,
            cancel_tried: false,
            carried: HashMap::new(),
            shown: None,
        }
    }
}
