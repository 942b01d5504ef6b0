//! Landbridge, a cross-cluster east-west TCP/mTLS gateway, as a library.
//!
//! Remote sidecars connect, name the service they want in the TLS server name
//! (`outbound_.8000_._.httpbin.default.svc.cluster.local`), and the gateway terminates their mutual TLS,
//! decides whether they may, picks an endpoint and splices bytes both ways; or, per service, passes the
//! TLS through untouched.
//!
//! A [`Gateway`] is made of a [`GatewayConfig`] and [`Inputs`], bound, and served until a future of
//! yours resolves. It has no global state: no subscriber, allocator, panic hook, signal handler, default
//! crypto provider or runtime of its own, and several live in one process.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use landbridge::{Credentials, Desired, Drain, Gateway, Inputs, Snapshot};
//! use landbridge::config::Config;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let text = std::fs::read_to_string("gateway.toml")?;
//! let config = Config::from_toml(&text, std::path::Path::new("."))?;
//! let desired = Desired {
//!     services: Arc::new(config.services),
//!     credentials: Arc::new(Credentials::load(&config.identity, &config.trust)?),
//! };
//! // Whatever is sent here is applied as one change; live connections are untouched.
//! let (updates, state) = tokio::sync::watch::channel(desired);
//! let observer = Arc::new(|outcome: &landbridge::Outcome| println!("{} {}", outcome.connection_id, outcome.reason));
//!
//! let drain = Drain::from(&config.gateway.timeouts);
//! let bound = Gateway::new(config.gateway, Inputs { state, observer })?.bind().await?;
//! println!("listening on {:?}", bound.local_addrs());
//! let drained = bound
//!     .serve(async move {
//!         let _ = tokio::signal::ctrl_c().await;
//!         drain
//!     })
//!     .await;
//! println!("{} connections were cut", drained.cut);
//! # drop(updates);
//! # Ok(())
//! # }
//! ```
//!
//! A connection is walked in `accept`, `connection`, `handshake`, the core's table and policy,
//! `upstream`, and the splice crate's `duplex`, in this order.

mod accept;
mod admission;
mod bound;
mod capacity;
mod connection;
mod credentials;
mod drain;
mod error;
mod expiry;
mod gateway;
mod generation;
mod handle;
mod handshake;
#[cfg(test)]
mod model;
mod observer;
mod pressure;
mod proxy_protocol;
mod record;
mod refusal;
mod registry;
mod rendezvous;
mod resolve;
mod shared;
mod socket;
mod sync;
mod updates;
mod upstream;

pub use bound::{Bound, Worker};
pub use capacity::Capacity;
pub use credentials::{Credentials, CredentialsError, FileProblem};
pub use drain::{Drain, Drained, Draining};
pub use error::Error;
pub use gateway::{Gateway, Inputs};
pub use generation::Desired;
pub use handle::{EndpointCounts, Handle, OpenConnection, ServiceState, Stage};
pub use landbridge_certs::{KeyPair, TrustEntry};
pub use landbridge_core::config::GatewayConfig;
pub use landbridge_core::{
    Outcome, Reason, Service, Snapshot, config, outcome, policy, service, sni, spiffe,
};
pub use observer::{Observer, Opened, Traffic};
pub use pressure::Level;
pub use proxy_protocol::{ProxyHeader, ProxyHeaderError, proxy_header};
pub use resolve::is_ours;
pub use shared::Phase;

/// The examples of docs/embedding.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Embedding;
