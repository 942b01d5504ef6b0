//! What the tests of metrics share.

use landbridge::policy::{Authorization, Policy};
use landbridge::service::{Alpn, Balance, MissingCloseNotify, Mode, Service};

/// A service without endpoints whom nobody may call.
pub(crate) fn service(host: &str, mode: Mode) -> Service {
    Service {
        name: format!("{host}:8000").into(),
        host: Some((host.to_owned(), 8000)),
        names: Vec::new(),
        mode,
        policy: Policy::Grants { allow: Vec::new(), authorization: Authorization::Enforce },
        alpn: Alpn::AsOffered,
        identity: None,
        balance: Balance::LeastRequest,
        endpoints: Vec::new(),
        subsets: Vec::new(),
        close_on_cert_expiry: false,
        missing_close_notify: MissingCloseNotify::Reset,
    }
}
