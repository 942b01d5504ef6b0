//! The client side of xDS-lite, the stream that feeds a gateway its configuration.
//!
//! The stream is not part of this version: a gateway is fed by its file, or by whoever embeds it. What is
//! here is what both sides will need first: how long to wait between attempts to reach a server.

mod backoff;
mod guard;
pub mod store;
pub mod wire;

pub use backoff::Backoff;
pub use guard::{Guard, Judgement};
