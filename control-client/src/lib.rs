//! The client side of xDS-lite, the stream that feeds a gateway its configuration.
//!
//! * [`wire`]: the words, for both sides.
//! * [`session`]: a gateway's side as a state machine, and [`Held`], what the gateway has.
//! * [`effective`]: what an update means for the services in force, judged without doing anything.
//! * [`store`]: the last good configuration on disk.
//! * [`client`]: what keeps a session's stream open, over TLS or on this machine.
//!
//! docs/xds-lite.md is the protocol's reference.

mod backoff;
pub mod client;
pub mod effective;
mod guard;
mod held;
pub mod session;
pub mod store;
pub mod wire;

pub use backoff::Backoff;
pub use guard::{Guard, Judgement};
pub use held::{Held, HeldResource, Position};
