//! How a front end reaches an engine: within one process, or over a Unix socket. The front end
//! has the same [`FrontEndLink`] either way.

mod hub;
mod local;
mod mailbox;
pub mod socket;

pub use hub::{Hub, Seat, hub, in_process};
pub use local::{FrontEndLink, LocalOutlet, Orders, local};
