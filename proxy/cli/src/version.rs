//! What `--version` prints: version, git revision, crypto provider.

/// For `-V`.
pub(crate) const SHORT: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LANDBRIDGE_REVISION"), ")");

/// For `--version`.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nrevision: ",
    env!("LANDBRIDGE_REVISION"),
    "\ncrypto:   aws-lc-rs (rustls)"
);
