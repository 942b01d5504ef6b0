//! What Landbridge's tests share: a CA in process, servers, clients, gateways and real peers.
//!
//! Nothing here waits by sleeping or uses a fixed port: servers bind port 0, and whoever waits is woken
//! by the event itself.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: what can't go on should say so and stop"
)]

pub mod client;
pub mod command;
pub mod gateway;
pub mod peer;
pub mod pki;
pub mod server;
pub mod world;
