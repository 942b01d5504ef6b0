//! What the fuzz targets do: one function per target, which takes any bytes and panics where a promise is broken.
//!
//! `fuzz/` gives each of them to libFuzzer, and the test `corpus` gives each what `fuzz/corpus` holds for it, so
//! that whatever fuzzing once found is tried by every ordinary test run. Nothing here depends on the clock, on
//! randomness or on what ran before: certificates are made from fixed keys, and the time is [`world::now`].

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken promise is told by a panic"
)]

mod bundle;
mod config;
mod crl;
pub mod der;
mod edit;
mod hello;
mod lines;
pub mod pem;
mod proxy;
mod reading;
pub mod seeds;
mod session;
mod sni;
mod spiffe;
mod svid;
pub mod world;

pub use bundle::bundle;
pub use config::config;
pub use crl::crl;
pub use hello::hello;
pub use lines::lines;
pub use proxy::proxy;
pub use session::session;
pub use sni::sni;
pub use spiffe::spiffe;
pub use svid::svid;

/// A target: a name, which is also that of its program and of its corpus, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 10] = [
    ("bundle", bundle),
    ("config", config),
    ("crl", crl),
    ("hello", hello),
    ("lines", lines),
    ("proxy", proxy),
    ("session", session),
    ("sni", sni),
    ("spiffe", spiffe),
    ("svid", svid),
];
