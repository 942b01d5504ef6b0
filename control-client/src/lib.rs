//! The client side of xDS-lite, the stream that feeds a gateway its configuration.
//!
//! * [`wire`]: the words, for both sides.
//! * [`session`]: a gateway's side as a state machine, and [`Held`], what the gateway has.
//! * [`client`]: what keeps a session's stream open, over TLS or on this machine.
//!
//! docs/xds-lite.md is the protocol's reference.

mod backoff;
pub mod client;
mod held;
pub mod session;
pub mod wire;

pub use backoff::Backoff;
pub use held::{Held, HeldResource, Position};
