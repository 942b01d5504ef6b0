//! What the tests of metrics share.

use landbridge::service::{Mode, Service};

/// A service without endpoints whom nobody may call.
pub(crate) fn service(host: &str, mode: Mode) -> Service {
    Service { mode, ..Service::terminate(host, 8000) }
}
