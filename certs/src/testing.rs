//! What the tests of this crate share: a small world of CAs, and handshakes in memory.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use landbridge_core::config::MinTls;
use landbridge_core::policy::{Grant, IdPattern, Policy};
use landbridge_core::table::{Answers, Route};
use landbridge_core::{Reason, Service, Snapshot, SpiffeId, Table, TrustDomain, TrustName};
use rustls::client::{ClientConnection, ResolvesClientCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, Error, RootCertStore, ServerConfig, ServerConnection, SignatureScheme,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::failure::reason_of;
use crate::hello::{Hello, HelloReader};
use crate::identity::KeyPair;
use crate::issue::{Ca, CaOptions, Issued, LeafOptions};
use crate::tls::{Acceptance, TlsContext, provider, select_alpn};
use crate::trust::{TrustEntry, TrustStore};
use crate::verifier::Verdict;

pub(crate) const SNI: &str = "outbound_.8000_._.httpbin.default.svc.cluster.local";
pub(crate) const SLEEP: &str = "spiffe://cluster.local/ns/default/sa/sleep";

pub(crate) fn id(text: &str) -> SpiffeId {
    SpiffeId::parse(text).unwrap()
}

pub(crate) fn now() -> UnixTime {
    UnixTime::now()
}

pub(crate) fn at(time: UnixTime, offset: i64) -> UnixTime {
    let seconds = i64::try_from(time.as_secs()).unwrap() + offset;
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap()))
}

pub(crate) fn root(name: &str) -> Ca {
    Ca::root(name, &CaOptions::new(now())).unwrap()
}

/// An entry called `name` for `domain` with these roots.
pub(crate) fn entry(name: &str, domain: &str, roots: &[&Ca]) -> TrustEntry {
    entry_with(name, domain, roots, None)
}

pub(crate) fn entry_with(name: &str, domain: &str, roots: &[&Ca], crl: Option<&str>) -> TrustEntry {
    let bundle: String = roots.iter().map(|ca| ca.certificate_pem()).collect();
    TrustEntry::from_parts(
        TrustName::new(name),
        TrustDomain::parse(domain).unwrap(),
        bundle.as_bytes(),
        crl.map(str::as_bytes),
        now(),
    )
    .unwrap()
}

pub(crate) fn store(entries: Vec<TrustEntry>) -> Arc<TrustStore> {
    Arc::new(TrustStore::new(entries).unwrap())
}

pub(crate) fn key_pair(issued: &Issued) -> KeyPair {
    KeyPair::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes(), now()).unwrap()
}

/// A service that allows these patterns.
pub(crate) fn service(allow: &[&str]) -> Service {
    let grant = |pattern: &&str| Grant { id: IdPattern::parse(pattern).unwrap(), from: None, alias_of: None };
    Service {
        policy: Policy::allow(allow.iter().map(grant).collect()),
        ..Service::terminate("httpbin.default.svc.cluster.local", 8000)
    }
}

/// Where [`SNI`] leads.
pub(crate) fn route(service: Service) -> Arc<Route> {
    let snapshot = Snapshot::new(vec![service]).unwrap();
    Table::compile(&snapshot, &Answers::default(), &Table::default()).find(SNI).unwrap().clone()
}

/// The root that clients believe a gateway by, and the gateway's identity.
static GATEWAY: LazyLock<(CertificateDer<'static>, KeyPair)> = LazyLock::new(|| {
    let ca = root("the gateway's CA");
    let mut options = LeafOptions::svid(&id("spiffe://cluster.local/ns/istio-system/sa/gateway"), now());
    options.dns = vec![SNI.into()];
    let issued = ca.issue(&options).unwrap();
    (ca.certificate().clone(), key_pair(&issued))
});

pub(crate) fn gateway_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(GATEWAY.0.clone()).unwrap();
    roots
}

/// The gateway's side of a handshake.
pub(crate) struct Gateway {
    pub(crate) context: TlsContext,
    pub(crate) trust: Arc<TrustStore>,
    pub(crate) key: KeyPair,
    pub(crate) route: Arc<Route>,
}

impl Gateway {
    pub(crate) fn new(entries: Vec<TrustEntry>) -> Self {
        Self {
            context: TlsContext::new(MinTls::V1_3).unwrap(),
            trust: store(entries),
            key: GATEWAY.1.clone(),
            route: route(service(&["spiffe://cluster.local/*", "spiffe://b.example/*"])),
        }
    }

    pub(crate) fn min(mut self, min: MinTls) -> Self {
        self.context = TlsContext::new(min).unwrap();
        self
    }

    /// Lets sessions be resumed, and goes by `clock`.
    pub(crate) fn resuming(mut self, min: MinTls, clock: Arc<dyn TimeProvider>) -> Self {
        self.context = TlsContext::by(min, clock).unwrap().resuming(HELLO_BYTES).unwrap();
        self
    }

    pub(crate) fn serving(mut self, service: Service) -> Self {
        self.route = route(service);
        self
    }

    pub(crate) fn accept(
        &self,
        hello: Hello,
        verdict: &Arc<Verdict>,
    ) -> Result<ServerConnection, (Error, Vec<u8>)> {
        let alpn = select_alpn(&self.route.service.alpn, hello.alpn())
            .unwrap_or_else(|_| vec![b"to be refused by rustls".to_vec()]);
        let config = self.context.server_config(Acceptance {
            hello: &hello,
            trust: self.trust.clone(),
            key: &self.key,
            route: self.route.clone(),
            alpn,
            verdict: verdict.clone(),
        });
        connect(hello, config)
    }
}

/// The largest ClientHello that is read, unless a test is about that.
pub(crate) const HELLO_BYTES: usize = 16_384;

/// What this client begins with.
pub(crate) fn hello_of(client: &mut ClientConnection) -> Hello {
    HelloReader::new(HELLO_BYTES).feed(&sent(client)).unwrap().unwrap()
}

/// Continues the handshake of a hello, and gives the connection what followed it.
///
/// An error comes with all that the connection still wants to write.
pub(crate) fn connect(hello: Hello, config: Arc<ServerConfig>) -> Result<ServerConnection, (Error, Vec<u8>)> {
    let (accepted, rest) = hello.into_accepted();
    let mut connection = accepted.into_connection(config).map_err(|(error, mut alert)| {
        let mut records = Vec::new();
        alert.write_all(&mut records).unwrap();
        (error, records)
    })?;
    let mut rest = rest.as_slice();
    while !rest.is_empty() {
        connection.read_tls(&mut rest).unwrap();
        if let Err(error) = connection.process_new_packets() {
            let mut records = Vec::new();
            while connection.wants_write() {
                connection.write_tls(&mut records).unwrap();
            }
            return Err((error, records));
        }
    }
    Ok(connection)
}

/// How a handshake went, seen from both ends.
pub(crate) struct Shaken {
    pub(crate) client: ClientConnection,
    pub(crate) server: Option<ServerConnection>,
    /// What the gateway calls the failure.
    pub(crate) reason: Option<Reason>,
    /// The alert that the client saw.
    pub(crate) alert: Option<u8>,
    pub(crate) verdict: Arc<Verdict>,
}

impl Shaken {
    pub(crate) fn refused(&self) -> (Option<Reason>, Option<u8>) {
        (self.reason, self.alert)
    }

    pub(crate) fn server(&self) -> &ServerConnection {
        self.server.as_ref().unwrap()
    }

    /// The trust entry that vouched, after a handshake that succeeded.
    pub(crate) fn trust(&self) -> &str {
        assert_eq!(self.refused(), (None, None), "{:?}", self.verdict.refusal());
        self.verdict.proven(self.server()).unwrap().identity.trust.as_str()
    }
}

/// A client that asks for [`SNI`].
pub(crate) fn connecting(config: ClientConfig) -> ClientConnection {
    ClientConnection::new(Arc::new(config), ServerName::try_from(SNI).unwrap()).unwrap()
}

/// Shakes hands, twice: the client's bytes go through a [`HelloReader`] as those of a socket would. Who is recognized
/// the second time is who was verified the first, and who was refused is refused again.
pub(crate) fn shake(gateway: &Gateway, config: ClientConfig) -> Shaken {
    let first = shake_as(gateway, connecting(config.clone()));
    let again = shake_as(gateway, connecting(config));
    assert_eq!(first.refused(), again.refused());
    let proven = |shaken: &Shaken| shaken.verdict.proven(shaken.server.as_ref()?).cloned();
    assert_eq!(proven(&first), proven(&again));
    again
}

/// As [`shake`], with a client that is about to begin.
pub(crate) fn shake_as(gateway: &Gateway, mut client: ClientConnection) -> Shaken {
    let verdict = Verdict::new();
    let mut shaken_reason = None;
    let mut to_client = Vec::new();
    let hello = hello_of(&mut client);
    let mut server = match gateway.accept(hello, &verdict) {
        Ok(server) => Some(server),
        Err((error, records)) => {
            shaken_reason = Some(reason_of(&error, Some(&verdict)));
            to_client = records;
            None
        }
    };
    let mut alert = None;
    for _ in 0..8 {
        if let Some(server) = &mut server {
            while server.wants_write() {
                server.write_tls(&mut to_client).unwrap();
            }
        }
        alert = alert.or(receive(&mut client, &std::mem::take(&mut to_client)));
        let from_client = sent(&mut client);
        let Some(server) = &mut server else { continue };
        let mut rest = from_client.as_slice();
        while !rest.is_empty() && shaken_reason.is_none() {
            server.read_tls(&mut rest).unwrap();
            if let Err(error) = server.process_new_packets() {
                shaken_reason = Some(reason_of(&error, Some(&verdict)));
            }
        }
    }
    Shaken { client, server, reason: shaken_reason, alert, verdict }
}

pub(crate) fn sent(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

pub(crate) fn receive(client: &mut ClientConnection, bytes: &[u8]) -> Option<u8> {
    let mut rest = bytes;
    while !rest.is_empty() {
        client.read_tls(&mut rest).unwrap();
        match client.process_new_packets() {
            Ok(_) => {}
            Err(Error::AlertReceived(alert)) => return Some(u8::from(alert)),
            Err(error) => panic!("the client failed: {error}"),
        }
    }
    None
}

/// A client that presents `issued` and is otherwise rustls with our provider.
pub(crate) fn client(issued: &Issued) -> ClientConfig {
    client_of(&issued.chain, issued)
}

/// As [`client`], with another chain.
pub(crate) fn client_of(chain: &[CertificateDer<'static>], issued: &Issued) -> ClientConfig {
    let key = provider().key_provider.load_private_key(issued.key.clone_key()).unwrap();
    let certified = CertifiedKey::new(chain.to_vec(), key);
    anonymous(rustls::DEFAULT_VERSIONS, Some(certified))
}

pub(crate) fn anonymous(
    versions: &[&'static SupportedProtocolVersion],
    certified: Option<CertifiedKey>,
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(gateway_roots());
    match certified {
        Some(certified) => builder.with_client_cert_resolver(Arc::new(Presents(Arc::new(certified)))),
        None => builder.with_no_client_auth(),
    }
}

/// Issues a leaf for [`SLEEP`] after `change`.
pub(crate) fn leaf(ca: &Ca, change: impl FnOnce(&mut LeafOptions)) -> Issued {
    let mut options = LeafOptions::svid(&id(SLEEP), now());
    change(&mut options);
    ca.issue(&options).unwrap()
}

/// Presents its chain whatever the gateway asks for, and whether or not the key belongs to it.
#[derive(Debug)]
struct Presents(Arc<CertifiedKey>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
