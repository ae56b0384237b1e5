//! Whether the provider is up, and the moment when it goes down.

use tokio::sync::watch;

/// Down or up, for everybody at once.
#[derive(Clone, Debug)]
pub struct Outage(watch::Sender<bool>);

impl Default for Outage {
    /// Up.
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Outage {
    /// Goes down or comes back up.
    pub fn set(&self, down: bool) {
        self.0.send_replace(down);
    }

    pub fn is_on(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is down.
    pub async fn begins(&self) {
        if self.0.subscribe().wait_for(|down| *down).await.is_err() {
            // It cannot be: the other end is in our hands.
            std::future::pending().await
        }
    }
}
