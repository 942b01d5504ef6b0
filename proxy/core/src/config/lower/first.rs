//! The first service that terminates TLS: why an identity and a trust entry are needed.

use crate::config::findings::Place;

/// The first service that needs the gateway's own identity.
pub(super) struct FirstTerminating {
    /// `service NAME`, or its place in the list.
    pub(super) name: String,
    pub(super) place: Place,
}
