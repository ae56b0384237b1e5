//! Slots and rates: who may send next, when, and on which endpoint.
//!
//! ```text
//! Limiter::permit --> line (follow-ups, then new; first come, first served)
//!                      |   Dispatcher::run, the one task that hands out:
//!                      '-> a free slot, then tokens, then requests, on the endpoint ready first
//!                           '-> Permit: dropped, it gives its slot back; unused, its rate too
//! ```
//!
//! The line and the endpoints are one state behind one lock that is never held across an await:
//! the [`Limiter`]'s handles change it, the [`Dispatcher`] looks at it whenever a change or the
//! passing of time may let the head of the line go. An `Endpoint` counts its slots and meters
//! what it hands out; the `Quota` that it has, or shares with others of its group, keeps a
//! `Bucket` for each of its two rates. All time is tokio's, so tests run on its paused clock.
//!
//! What comes back moves the limits (`learning`): headers say what a quota is, 429s cut the share
//! of it that is asked for and quiet seconds raise it (`adaptation`, from what `intake` counts),
//! overload and late first bytes move slots (`steering`), and failures put an endpoint out of the
//! way for a while (`health`).

mod adaptation;
mod bucket;
mod clock;
mod dispatcher;
mod endpoint;
mod estimate;
mod feedback;
mod handle;
mod health;
mod intake;
mod learning;
mod line;
mod meters;
mod pause;
mod permit;
mod quota;
mod rate;
mod steering;
#[cfg(test)]
mod tests;

pub use dispatcher::Dispatcher;
pub use endpoint::EndpointSpec;
pub use estimate::OutputEstimate;
pub use feedback::{Feedback, Outcome};
pub use handle::{Limiter, SetLimitError};
pub use line::{Constraint, HeadWaited};
pub use meters::{EndpointReading, RateReading};
pub use permit::{Avoided, Permit, PermitRequest, PermitWaits, Priority};
