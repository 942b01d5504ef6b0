//! A gateway before it listens: configuration, inputs, and the first generation.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize};
use std::time::Instant;

use arc_swap::ArcSwap;
use landbridge_core::Snapshot;
use landbridge_core::config::GatewayConfig;
use tokio::sync::{Semaphore, watch};

use crate::bound::Bound;
use crate::capacity::Capacity;
use crate::credentials::Credentials;
use crate::error::{Error, Kind};
use crate::generation::Generation;
use crate::handle::Counters;
use crate::observer::Observer;
use crate::registry::Registry;
use crate::resolve::Resolver;
use crate::socket;

/// What a gateway is to serve, and as whom.
///
/// It is one value so that a change of services and credentials together is one change: a connection
/// never sees the new of one with the old of the other.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The services.
    pub services: Arc<Snapshot>,
    /// The gateway's certificates and whom it believes.
    pub credentials: Arc<Credentials>,
}

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
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: watch::Receiver<Desired>,
}

/// What all connections of one gateway share.
pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    pub(crate) capacity: Capacity,
    /// Swapped once for every kind of change.
    pub(crate) current: ArcSwap<Generation>,
    pub(crate) registry: Registry,
    pub(crate) resolver: Resolver,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) handshakes: Arc<Semaphore>,
    pub(crate) counters: Counters,
    pub(crate) phase: AtomicU8,
    /// How many workers have not stopped yet.
    pub(crate) workers: AtomicUsize,
    pub(crate) next_id: AtomicU64,
    /// The zero of the gateway's clock.
    pub(crate) epoch: Instant,
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
        let resolver = Resolver::new(config.endpoints.clone());
        let first = Generation::first(&state.borrow_and_update().clone(), config.tls)?;
        let shared = Shared {
            current: ArcSwap::from_pointee(first),
            registry: Registry::default(),
            resolver,
            observer,
            connections: Arc::new(Semaphore::new(capacity.connections)),
            handshakes: Arc::new(Semaphore::new(capacity.handshakes)),
            counters: Counters::default(),
            phase: AtomicU8::default(),
            workers: AtomicUsize::new(1),
            next_id: AtomicU64::new(1),
            epoch: Instant::now(),
            capacity,
            config,
        };
        Ok(Self { shared: Arc::new(shared), state })
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
        Bound::new(self, listeners).await
    }
}
