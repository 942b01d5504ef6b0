//! How the gateway speaks TLS: one policy, and a configuration per connection.

use std::fmt;
use std::sync::Arc;

use landbridge_core::config::MinTls;
use landbridge_core::service::{Alpn, ISTIO_ALPN};
use landbridge_core::table::Route;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, StoresServerSessions, WantsServerCert};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ConfigBuilder, Error, ServerConfig, SupportedProtocolVersion, WantsVerifier};

use crate::hello::Hello;
use crate::identity::KeyPair;
use crate::tickets::{Session, TicketKeys};
use crate::trust::TrustStore;
use crate::verifier::{Gate, Judge, Verdict};

pub mod direct;
pub mod upstream;

/// What all connections share: provider, protocol versions, and the keys of tickets, where there are any.
pub struct TlsContext {
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    /// Keeps nothing: sessions are in tickets, or nowhere.
    storage: Arc<dyn StoresServerSessions>,
    tickets: Option<TicketKeys>,
    /// Believes nobody, until [`upstream`] gives it a verifier.
    client: ClientConfig,
}

/// What one connection is accepted with.
#[derive(Debug)]
pub struct Acceptance<'a> {
    /// What the client began with.
    pub hello: &'a Hello,
    /// Whom the gateway believes.
    pub trust: Arc<TrustStore>,
    /// The identity that it presents.
    pub key: &'a KeyPair,
    /// Where the client wants to go, and whose policy is in force there.
    pub route: Arc<Route>,
    /// What [`select_alpn`] returned.
    pub alpn: Vec<Vec<u8>>,
    /// Where the verifier leaves what it finds; one per connection.
    pub verdict: Arc<Verdict>,
}

/// The client offers application protocols, and the service selects none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client offers no application protocol that the service selects")]
pub struct AlpnMismatch;

/// The only provider: aws-lc-rs, with our order of algorithms.
///
/// AES-128 comes first because it is the fastest suite wherever AES is in the processor. Groups are
/// chosen by the client's order among these; the hybrid one protects what is recorded today.
pub fn provider() -> CryptoProvider {
    use aws_lc_rs::cipher_suite as suite;
    use aws_lc_rs::kx_group as group;
    CryptoProvider {
        cipher_suites: vec![
            suite::TLS13_AES_128_GCM_SHA256,
            suite::TLS13_AES_256_GCM_SHA384,
            suite::TLS13_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![group::X25519MLKEM768, group::X25519, group::SECP256R1, group::SECP384R1],
        ..aws_lc_rs::default_provider()
    }
}

impl TlsContext {
    /// Makes the shared part for connections of at least `min`. Nothing is resumed.
    ///
    /// # Errors
    /// The provider has no suite for the versions, which a build of this crate always has.
    pub fn new(min: MinTls) -> Result<Self, Error> {
        Self::by(min, Arc::new(DefaultTimeProvider))
    }

    /// The same by another clock than the system's.
    pub(crate) fn by(min: MinTls, clock: Arc<dyn TimeProvider>) -> Result<Self, Error> {
        let versions: &[&SupportedProtocolVersion] = match min {
            MinTls::V1_2 => &[&TLS13, &TLS12],
            MinTls::V1_3 => &[&TLS13],
        };
        Ok(Self {
            builder: ServerConfig::builder_with_details(Arc::new(provider()), clock)
                .with_protocol_versions(versions)?,
            storage: Arc::new(NoServerSessionStorage {}),
            tickets: None,
            client: upstream::template(versions)?,
        })
    }

    /// The same with sessions of TLS 1.3 that can be resumed, by one ticket for each handshake.
    ///
    /// No client gets a ticket that makes its next ClientHello larger than `hello_bytes`.
    ///
    /// # Errors
    /// There is no randomness for the keys.
    pub fn resuming(mut self, hello_bytes: usize) -> Result<Self, Error> {
        self.tickets = Some(TicketKeys::new(hello_bytes)?);
        Ok(self)
    }

    /// The same for another trust epoch: no ticket of before is taken.
    ///
    /// # Errors
    /// There is no randomness for the keys.
    pub fn renewed(&self) -> Result<Self, Error> {
        Ok(Self {
            builder: self.builder.clone(),
            storage: self.storage.clone(),
            tickets: self.tickets.as_ref().map(TicketKeys::renewed).transpose()?,
            client: self.client.clone(),
        })
    }

    /// The provider, for other configurations of the same process.
    pub fn provider(&self) -> &Arc<CryptoProvider> {
        self.builder.crypto_provider()
    }

    /// The keys of tickets, where sessions are resumed.
    #[cfg(test)]
    #[cfg(feature = "issue")]
    pub(crate) fn tickets(&self) -> &TicketKeys {
        self.tickets.as_ref().unwrap()
    }

    /// Makes the configuration of one connection.
    ///
    /// A client certificate is mandatory; there is no early data and no renegotiation, and TLS 1.2 needs
    /// the extended master secret (RFC 7627) and has no tickets.
    pub fn server_config(&self, acceptance: Acceptance<'_>) -> Arc<ServerConfig> {
        let Acceptance { hello, trust, key, route, alpn, verdict } = acceptance;
        let judge = Arc::new(Judge { trust, route });
        let tickets = self.tickets.as_ref().filter(|_| hello.offers_tls13());
        let session = tickets.map(|_| Session::new(judge.clone()));
        if let Some(session) = &session {
            verdict.resumable(session.clone());
        }
        let algorithms = self.provider().signature_verification_algorithms;
        let gate = Gate { judge, verdict, session: session.clone(), algorithms };
        let mut config = self.without_tickets(gate, key, alpn);
        if let Some((tickets, session)) = tickets.zip(session) {
            config.ticketer = tickets.for_connection(hello, key, session, config.time_provider.clone());
            config.send_tls13_tickets = 1;
        }
        Arc::new(config)
    }

    fn without_tickets(&self, gate: Gate, key: &KeyPair, alpn: Vec<Vec<u8>>) -> ServerConfig {
        let builder: ConfigBuilder<ServerConfig, WantsServerCert> =
            self.builder.clone().with_client_cert_verifier(Arc::new(gate));
        let mut config = builder.with_cert_resolver(key.resolver());
        config.alpn_protocols = alpn;
        config.ignore_client_order = true;
        config.require_ems = true;
        config.session_storage = self.storage.clone();
        config.send_tls13_tickets = 0;
        config.max_tls13_tickets = 0;
        config.max_early_data_size = 0;
        config.send_half_rtt_data = false;
        config
    }
}

impl fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsContext").finish_non_exhaustive()
    }
}

/// Selects the application protocols that a connection is accepted with, by `policy`, among those
/// that the client `offered`. What rustls then negotiates is the first of them that was offered.
///
/// A client that offers none is served without one, whatever the policy: RFC 7301 section 3.2 speaks
/// of clients that use the extension. `istio-peer-exchange` is never selected.
///
/// # Errors
/// The policy lists protocols, the client offers some, and none is in both.
pub fn select_alpn(policy: &Alpn, offered: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, AlpnMismatch> {
    if offered.is_empty() {
        return Ok(Vec::new());
    }
    match policy {
        Alpn::AsOffered => {
            let ours = |offer: &&Vec<u8>| ISTIO_ALPN.iter().any(|known| known.as_bytes() == *offer);
            Ok(offered.iter().find(ours).cloned().into_iter().collect())
        }
        Alpn::Only(list) => {
            let selected: Vec<Vec<u8>> = list
                .iter()
                .filter(|protocol| &***protocol != PEER_EXCHANGE)
                .map(|protocol| protocol.as_bytes().to_vec())
                .filter(|protocol| offered.contains(protocol))
                .collect();
            if selected.is_empty() { Err(AlpnMismatch) } else { Ok(selected) }
        }
    }
}

/// Selecting it would make the client wait for a metadata frame.
const PEER_EXCHANGE: &str = "istio-peer-exchange";

#[cfg(test)]
#[cfg(feature = "issue")]
mod tests;
