//! A client's place for one session, which it takes out whatever server it calls.

use std::sync::{Arc, Mutex};

use landbridge_testkit::client::Sidecar;
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

/// Keeps the last session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawer(Arc<Mutex<Option<Tls13ClientSessionValue>>>);

impl Drawer {
    /// `sidecar` with its sessions kept here.
    pub(crate) fn of(&self, mut sidecar: Sidecar) -> Sidecar {
        sidecar.config.resumption = Resumption::store(Arc::new(self.clone()));
        sidecar
    }

    /// Whether there is a session that the next call will offer.
    pub(crate) fn is_full(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

impl ClientSessionStore for Drawer {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, session: Tls13ClientSessionValue) {
        *self.0.lock().unwrap() = Some(session);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap().take()
    }
}
