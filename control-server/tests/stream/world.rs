//! A server with its store, and gateways that come to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use landbridge_certs::{KeyPair, Origination, TlsContext, TrustEntry, TrustStore, Verdict};
use landbridge_control_client::wire::{Kind, Name};
use landbridge_control_server::{
    Audience, Edit, Entry, Identity, Key, Listener, Nodes, Security, Server, Store,
};
use landbridge_core::TrustName;
use landbridge_core::config::MinTls;
use landbridge_core::config::fleet::{Glob, NodeEntry, Selector};
use landbridge_core::policy::{Grant, IdPattern};
use landbridge_core::service::UpstreamTls;
use landbridge_core::spiffe::TrustDomain;
use landbridge_testkit::pki::{Mesh, Svid};
use landbridge_testkit::process::until;
use rustls_pki_types::{ServerName, UnixTime};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::client::{Client, Held};

pub(crate) struct World {
    pub(crate) store: Arc<Store>,
    pub(crate) server: Arc<Server>,
    address: SocketAddr,
    go: Option<oneshot::Sender<Duration>>,
    serving: JoinHandle<()>,
}

impl World {
    /// A server without TLS that shows everything to everybody.
    pub(crate) async fn plain() -> Self {
        Self::new(Arc::default(), Nodes::everybody(), Security::Plain).await
    }

    /// The same where another server was.
    pub(crate) async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self::on(listener, Arc::default(), Nodes::everybody(), Security::Plain)
    }

    pub(crate) async fn new(store: Arc<Store>, nodes: Nodes, security: Security) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, store, nodes, security)
    }

    fn on(listener: TcpListener, store: Arc<Store>, nodes: Nodes, security: Security) -> Self {
        let address = listener.local_addr().unwrap();
        let server = Server::new("control-0", store.clone(), nodes);
        let (go, going) = oneshot::channel();
        let going = async {
            match going.await {
                Ok(spread) => spread,
                Err(_) => std::future::pending().await,
            }
        };
        let serve = server.clone().serve(Listener::Tcp(listener), security, going);
        let serving = tokio::spawn(async { serve.await.unwrap() });
        Self { store, server, address, go: Some(go), serving }
    }

    /// A gateway that holds this, and said hello.
    pub(crate) async fn gateway(&self, held: Held) -> Client {
        let mut client = self.stranger(held).await;
        client.greet().await;
        client
    }

    /// One that has not said anything.
    pub(crate) async fn stranger(&self, held: Held) -> Client {
        self.begin(held).await.unwrap_or_else(|status| panic!("refused: {status:?}"))
    }

    /// One that may be refused.
    pub(crate) async fn try_stranger(&self) -> Result<Client, Option<StatusCode>> {
        self.begin(Held::default()).await
    }

    async fn begin(&self, held: Held) -> Result<Client, Option<StatusCode>> {
        Client::begin(TcpStream::connect(self.address).await.unwrap(), held).await
    }

    /// One that proves who it is; the status if it is refused a stream, and none if it is refused a connection.
    pub(crate) async fn secure(&self, mesh: &Mesh, svid: &Svid) -> Result<Client, Option<StatusCode>> {
        let id = IdPattern::parse("spiffe://td/ns/landbridge/sa/control").unwrap();
        let control = Grant { id, from: None, alias_of: None };
        let config = TlsContext::new(MinTls::V1_3).unwrap().client_config(Origination {
            trust: trust(mesh),
            key: &key(svid),
            expected: Arc::new(UpstreamTls { server_identities: vec![control] }),
            alpn: vec![b"h2".to_vec()],
            verdict: Verdict::new(),
        });
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("control").unwrap();
        let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(|_| None)?;
        let mut client = Client::begin(stream, Held::default()).await?;
        client.greet().await;
        Ok(client)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn put(&self, entries: impl IntoIterator<Item = Entry>) {
        self.store.apply(entries.into_iter().map(Edit::Put));
    }

    pub(crate) fn remove(&self, kind: Kind, name: &str) {
        self.store.apply([Edit::Remove(Key { kind, name: Name::parse(name).unwrap() })]);
    }

    /// What administration tells of the one gateway, once `so` is true of it.
    pub(crate) async fn told(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            let told = self.server.told()["gateways"][0].clone();
            so(&told).then_some(told)
        })
        .await
    }

    /// Lets the server go, and waits until it has gone.
    pub(crate) async fn go(mut self, spread: Duration) {
        self.go.take().unwrap().send(spread).unwrap();
        landbridge_testkit::soon("the server's end", self.serving).await.unwrap();
    }
}

pub(crate) fn trust(mesh: &Mesh) -> Arc<TrustStore> {
    let domain = TrustDomain::parse("td").unwrap();
    let bundle = mesh.bundle();
    let entry =
        TrustEntry::from_parts(TrustName::new("fleet"), domain, bundle.as_bytes(), None, UnixTime::now());
    Arc::new(TrustStore::new(vec![entry.unwrap()]).unwrap())
}

pub(crate) fn key(svid: &Svid) -> KeyPair {
    KeyPair::from_pem(svid.chain.as_bytes(), svid.key.as_bytes(), UnixTime::now()).unwrap()
}

/// Mutual TLS with the identity of a control server of this mesh.
pub(crate) fn mtls(mesh: &Mesh) -> (watch::Sender<Arc<Identity>>, Security) {
    let identity = Identity { key: key(&mesh.svid("ns/landbridge/sa/control")), trust: trust(mesh) };
    let (sender, receiver) = watch::channel(Arc::new(identity));
    (sender, Security::Mtls(receiver))
}

/// Gateways of this ID see services of this namespace.
pub(crate) fn node(id: &str, namespace: &str) -> NodeEntry {
    let who = Some(Grant { id: IdPattern::parse(id).unwrap(), from: None, alias_of: None });
    let sees = Selector { namespaces: vec![Glob::parse(namespace)], ..Selector::everything() };
    NodeEntry { who, cluster: format!("cluster of {namespace}"), sees }
}

/// A service of a namespace, different for each `number`.
pub(crate) fn service(name: &str, namespace: &str, number: u32) -> Entry {
    let key = Key { kind: Kind::Service, name: Name::parse(name).unwrap() };
    let audience = Audience::Service { namespace: namespace.to_owned(), labels: [].into() };
    Entry::new(key, &json!({ "host": name, "port": number }), audience).unwrap()
}

/// The endpoints of a service, from 10.0.0.`from` on.
pub(crate) fn endpoints(name: &str, from: u32, count: u32) -> Entry {
    let key = Key { kind: Kind::Endpoints, name: Name::parse(name).unwrap() };
    let list: Vec<Value> =
        (from..from + count).map(|number| json!({ "address": format!("10.0.0.{number}:80") })).collect();
    let audience = Audience::Service { namespace: String::new(), labels: [].into() };
    Entry::new(key, &json!({ "endpoints": list }), audience).unwrap()
}
