//! Facts and decisions of the Landbridge gateway: no I/O, no clock, no TLS.
//!
//! Everything here is a pure function of its arguments: time and entropy are passed in, nothing is
//! spawned, read or dialled. The one exception to immutability is [`Endpoint`], whose counters are
//! atomics, because what is known about an endpoint must outlive a change of configuration.
//!
//! A connection meets the modules in this order: [`sni`] (what was asked for), [`table`] (which
//! service that is), [`spiffe`] and [`policy`] (who asks, and whether they may), [`endpoint`] (where
//! to), [`outcome`] (what came of it). [`config`] is where all of it comes from; [`explain`] tells the story
//! beforehand.

pub mod access_log;
pub mod config;
pub mod endpoint;
pub mod explain;
pub mod outcome;
pub mod policy;
pub mod service;
mod shards;
pub mod snapshot;
pub mod sni;
pub mod spiffe;
pub mod table;

pub use endpoint::Endpoint;
pub use outcome::{Blame, Flag, Outcome, Reason};
pub use policy::{Caller, Permit, Policy};
pub use service::Service;
pub use snapshot::Snapshot;
pub use sni::Sni;
pub use spiffe::{Identity, SpiffeId, TrustDomain, TrustName};
pub use table::Table;
