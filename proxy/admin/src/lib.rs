//! Health, metrics and administration over HTTP for a Landbridge gateway.
//!
//! Kept out of the gateway's own crate, so that who embeds it does not link an HTTP server.

mod api;
mod health;
mod http;
mod metrics;
mod pages;

pub use api::{Administered, Confirmed, DrainOrdered, Order, Reloaded, serve_admin};
pub use health::serve_health;
pub use http::Listener;
pub use metrics::{Build, Counted, Metrics, MetricsError, Update, Watched, serve_metrics};
pub use pages::{Page, serve_pages};
