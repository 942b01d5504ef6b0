//! A gateway before it listens: configuration, inputs, and the first generation.

use std::net::TcpListener;
use std::sync::Arc;

use landbridge_core::config::GatewayConfig;
use tokio::sync::watch;

use crate::bound::Bound;
use crate::capacity::Capacity;
use crate::error::{Error, Kind};
use crate::generation::{Desired, Generation};
use crate::handle::Handle;
use crate::observer::Observer;
use crate::shared::Shared;
use crate::socket;

/// What a gateway is fed and whom it tells.
pub struct Inputs {
    /// What to serve; every value sent is applied as one change. When the sender is gone, the last
    /// value keeps serving.
    pub state: watch::Receiver<Desired>,
    /// Who hears of each connection.
    pub observer: Arc<dyn Observer>,
}

/// A gateway that does not listen yet.
pub struct Gateway {
    shared: Arc<Shared>,
    state: watch::Receiver<Desired>,
}

impl Gateway {
    /// Makes a gateway from its configuration and the present value of its inputs.
    ///
    /// Host names among the endpoints are resolved by [`bind`](Self::bind) and from then on.
    ///
    /// # Errors
    /// Services that present an identity which the credentials do not hold, and an open-file limit that
    /// leaves no room for connections.
    pub fn new(config: GatewayConfig, inputs: Inputs) -> Result<Self, Error> {
        let Inputs { mut state, observer } = inputs;
        let capacity = Capacity::measure(&config.limits)?;
        let first = Generation::first(&state.borrow_and_update().clone(), &config)?;
        let shared = Shared::new(config, capacity, first, observer);
        Ok(Self { shared: Arc::new(shared), state })
    }

    /// A handle for whoever watches the gateway before it listens.
    pub fn handle(&self) -> Handle {
        Handle { shared: self.shared.clone() }
    }

    /// Binds the configured addresses and resolves the host names of endpoints for the first time.
    ///
    /// A name that does not resolve is reported in the log and tried again; it is not an error.
    ///
    /// # Errors
    /// An address that can't be listened on; none is bound then.
    ///
    /// # Cancel safety
    /// Dropping the future drops what was bound.
    pub async fn bind(self) -> Result<Bound, Error> {
        let listeners = socket::listen_all(&self.shared.config.listener.addresses)?;
        self.adopt(listeners).await
    }

    /// Takes listening sockets that exist already, instead of the configured addresses.
    ///
    /// # Errors
    /// A list that is empty, or a socket that can't be used.
    ///
    /// # Cancel safety
    /// Dropping the future drops the sockets.
    pub async fn adopt(self, listeners: Vec<TcpListener>) -> Result<Bound, Error> {
        if listeners.is_empty() {
            return Err(Kind::NoListener.into());
        }
        Bound::new(self.shared, self.state, listeners).await
    }
}
