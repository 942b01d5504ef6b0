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
pub mod envoy;
pub mod gateway;
pub mod http;
pub mod oracle;
pub mod peer;
pub mod pki;
pub mod process;
pub mod server;
pub mod strace;
pub mod wire;
pub mod world;

use std::time::Duration;

/// Longer than anything that is waited for should ever take; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what should come soon, and fails by saying what did not.
pub async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
