//! What the tests of resumption share: a gateway that resumes, by a clock that they move.

use std::sync::atomic::{AtomicU64, Ordering};

use landbridge_core::config::MinTls;
use landbridge_core::{Identity, Service, TrustName};
use rustls::client::{ClientConnection, ClientSessionStore, Resumption};
use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, NamedGroup, ProtocolVersion, ServerConnection};
use rustls_pki_types::ServerName;

use super::terms::LONGEST;
use super::*;
use crate::hello::HelloReader;
use crate::issue::{Ca, CaOptions, Issued, Validity};
use crate::testing::{
    Gateway, HELLO_BYTES, SLEEP, Shaken, at, client, connecting, entry, entry_with, gateway_roots, hello_of,
    id, leaf, now, receive, root, sent, service, shake_as, store,
};
use crate::tls::{Acceptance, provider};
use crate::trust::Role;
use crate::verifier::Verdict;

/// The time of a gateway, in seconds since 1970.
#[derive(Debug, Clone)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(now().as_secs())))
    }

    fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn now(&self) -> UnixTime {
        self.current_time().unwrap()
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.0.load(Ordering::Relaxed))))
    }
}

/// Keeps the last ticket, and offers it to whomever is asked next.
#[derive(Debug, Default)]
struct Hoard {
    ticket: Mutex<Option<Tls13ClientSessionValue>>,
    /// Sessions of TLS 1.2 that could have been kept.
    old: AtomicU64,
}

impl ClientSessionStore for Hoard {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {
        self.old.fetch_add(1, Ordering::Relaxed);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        *self.ticket.lock().unwrap() = Some(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.ticket.lock().unwrap().take()
    }
}

/// A CA, a gateway that resumes and goes by `clock`, and what its caller presents.
struct Scene {
    ca: Ca,
    clock: Clock,
    gateway: Gateway,
}

impl Scene {
    fn new() -> Self {
        let (ca, clock) = (root("root"), Clock::new());
        let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])])
            .resuming(MinTls::V1_3, Arc::new(clock.clone()));
        Self { ca, clock, gateway }
    }

    /// A client that keeps its sessions.
    fn caller(&self) -> (Issued, ClientConfig) {
        let issued = self.ca.svid(&id(SLEEP), now()).unwrap();
        let config = client(&issued);
        (issued, config)
    }

    fn shakes(&self, config: &ClientConfig) -> Shaken {
        shake_as(&self.gateway, connecting(config.clone()))
    }

    fn is_resumed(&self, config: &ClientConfig) {
        let shaken = self.shakes(config);
        assert_eq!(kind(&shaken), HandshakeKind::Resumed);
        assert_eq!(self.judged(&shaken).map(|svid| svid.identity.id), Ok(id(SLEEP)));
    }

    fn shakes_in_full(&self, config: &ClientConfig) {
        let shaken = self.shakes(config);
        assert_eq!(shaken.trust(), "cluster-1");
        assert_eq!(kind(&shaken), HandshakeKind::Full);
    }

    /// What the gateway makes of a resumed client.
    fn judged(&self, shaken: &Shaken) -> Result<Svid, Refusal> {
        assert_eq!(shaken.refused(), (None, None));
        assert_eq!(shaken.verdict.proven(shaken.server()), None, "no identity without a second look");
        shaken.verdict.proven_again(shaken.server(), self.clock.now())
    }

    /// A session that proved itself, and the maker of its tickets.
    fn tickets(&self) -> Arc<Tickets> {
        let issued = self.ca.svid(&id(SLEEP), now()).unwrap();
        let Gateway { context, trust, key, route } = &self.gateway;
        let judge = Arc::new(Judge { trust: trust.clone(), route: route.clone() });
        let session = Session::new(judge);
        let svid = trust.verify(&issued.chain[0], &[], self.clock.now(), Role::Client).unwrap();
        session.shown(&svid, &[], self.clock.now());
        session.proven();
        let hello = hello_of(&mut connecting(client(&issued)));
        context.tickets().for_connection(&hello, key, session, Arc::new(self.clock.clone()))
    }
}

fn kind(shaken: &Shaken) -> HandshakeKind {
    assert_eq!(shaken.client.handshake_kind(), shaken.server().handshake_kind());
    shaken.server().handshake_kind().unwrap()
}

/// Keeps a session as [`Hoard`] does.
fn hoarding(mut config: ClientConfig) -> (ClientConfig, Arc<Hoard>) {
    let hoard = Arc::new(Hoard::default());
    config.resumption = Resumption::store(hoard.clone());
    (config, hoard)
}

mod protocol;
mod resumed;
mod sealed;
