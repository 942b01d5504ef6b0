//! What `--version` prints: version, git revision, crypto provider.

use landbridge_admin::Build;

/// For `landbridge_build_info`.
pub(crate) const BUILD: Build =
    Build { version: env!("CARGO_PKG_VERSION"), revision: env!("LANDBRIDGE_REVISION"), crypto: "aws-lc-rs" };

/// For `-V`.
pub(crate) const SHORT: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LANDBRIDGE_REVISION"), ")");

/// For `--version`.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nrevision: ",
    env!("LANDBRIDGE_REVISION"),
    "\ncrypto:   aws-lc-rs (rustls)"
);
