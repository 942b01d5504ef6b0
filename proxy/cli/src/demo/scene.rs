//! The scene of the demo: certificates and a configuration on disk, endpoints, and the gateway.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use landbridge::config::{Config, Node};
use landbridge::spiffe::{SpiffeId, TrustDomain};
use landbridge::{Credentials, Desired, Drain, Gateway, Inputs, Outcome};
use landbridge_certs::issue::{Ca, Issued, LeafOptions};
use landbridge_core::access_log::Place;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::UnixTime;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::call::Caller;

/// The terminated service.
pub(super) const HTTPBIN: &str = "outbound_.8000_._.httpbin.default.svc.cluster.local";
/// The service that is passed through.
pub(super) const LEDGER: &str = "outbound_.443_._.ledger.default.svc.cluster.local";
/// A service without an endpoint.
pub(super) const NOBODY: &str = "outbound_.8000_._.retired.default.svc.cluster.local";
/// A name that leads nowhere.
pub(super) const UNKNOWN: &str = "outbound_.9000_._.nothing.default.svc.cluster.local";

pub(super) struct Scene {
    pub(super) address: SocketAddr,
    folder: TempDir,
    node: Node,
    callers: Vec<(&'static str, Caller)>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    stop: oneshot::Sender<Drain>,
    serving: JoinHandle<()>,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    _updates: watch::Sender<Desired>,
}

impl Scene {
    pub(super) async fn set() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("landbridge-demo-").tempdir()?;
        let provider = Arc::new(landbridge_certs::tls::provider());
        let now = UnixTime::now();
        let domain = TrustDomain::parse("cluster.local")?;
        let (remote, local) = (Ca::for_domain(&domain, now)?, Ca::for_domain(&domain, now)?);
        write(folder.path(), "cluster-1-ca.pem", &remote.certificate_pem())?;
        write(folder.path(), "cluster-2-ca.pem", &local.certificate_pem())?;

        let mut gateway = svid("ns/istio-system/sa/eastwest", now)?;
        gateway.dns = [HTTPBIN, NOBODY, UNKNOWN].map(str::to_owned).into();
        keep(folder.path(), "gateway", &local.issue(&gateway)?)?;
        let mut ledger = svid("ns/default/sa/ledger", now)?;
        ledger.dns = vec![LEDGER.to_owned()];

        let mut roots = RootCertStore::empty();
        roots.add(local.certificate().clone())?;
        let roots = Arc::new(roots);
        let mut callers = Vec::new();
        for (name, ca, account) in
            [("sleep", &remote, "sleep"), ("stranger", &remote, "stranger"), ("impostor", &local, "sleep")]
        {
            let options = svid(&format!("ns/default/sa/{account}"), now)?;
            let issued = ca.issue(&options)?;
            keep(folder.path(), name, &issued)?;
            let tls = client(&provider, &roots)?
                .with_client_auth_cert(issued.chain.clone(), issued.key.clone_key())?;
            callers.push((name, Caller::new(options.uris.concat(), sidecar(tls))));
        }

        let httpbin = serve_plain("hello from httpbin in cluster-2").await?;
        let ledger =
            serve_tls(&provider, &remote, local.issue(&ledger)?, "hello from ledger, end to end").await?;
        let refusing = refusing().await?;
        let toml = configuration(httpbin, refusing, ledger);
        write(folder.path(), "gateway.toml", &toml)?;

        let config = Config::from_toml(&toml, folder.path())?;
        let credentials = Credentials::load(&config.identity, &config.trust)?;
        let desired = Desired { services: Arc::new(config.services), credentials: Arc::new(credentials) };
        let (updates, state) = watch::channel(desired);
        let (told, outcomes) = mpsc::unbounded_channel();
        let observer = Arc::new(move |outcome: &Outcome| drop(told.send(outcome.clone())));
        let node = config.gateway.node.clone();
        let bound = Gateway::new(config.gateway, Inputs { state, observer })?.bind().await?;
        let address = *bound.local_addrs().first().context("the gateway listens nowhere")?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            bound.serve(async { stopped.await.unwrap_or(Drain::NOW) }).await;
        });
        Ok(Self {
            address,
            folder,
            node,
            callers,
            outcomes,
            stop,
            serving,
            provider,
            roots,
            _updates: updates,
        })
    }

    /// One of those who have a certificate.
    pub(super) fn caller(&self, name: &str) -> Caller {
        self.callers
            .iter()
            .find(|(known, _)| *known == name)
            .map_or_else(|| self.anonymous(), |(_, caller)| caller.clone())
    }

    /// Somebody who has none.
    pub(super) fn anonymous(&self) -> Caller {
        // The same provider and versions made the callers of `set`.
        let tls = client(&self.provider, &self.roots).map(|builder| sidecar(builder.with_no_client_auth()));
        Caller::new(
            "nobody: no certificate".to_owned(),
            tls.unwrap_or_else(|_| unreachable!("checked in set")),
        )
    }

    /// What the gateway tells of the next call that ended.
    pub(super) async fn outcome(&mut self) -> Option<Outcome> {
        self.outcomes.recv().await
    }

    /// Where the access log says that the gateway is.
    pub(super) fn place(&self) -> Place {
        let Node { id, cluster, network } = self.node.clone();
        Place { node_id: id.unwrap_or_default(), cluster, network }
    }

    pub(super) fn directory(&self) -> &Path {
        self.folder.path()
    }

    pub(super) async fn close(self, drain: Drain) {
        // Either fails only where the gateway has ended already.
        let _ = self.stop.send(drain);
        let _ = self.serving.await;
    }
}

fn configuration(httpbin: SocketAddr, refusing: SocketAddr, ledger: SocketAddr) -> String {
    format!(
        r#"# The configuration of the demo's gateway.
[node]
id = "eastwest-0"
cluster = "cluster-2"
network = "network2"

[listener]
address = "127.0.0.1:0"

[identity]
certificate = "gateway.pem"
private_key = "gateway.key"

[[trust]]
name = "cluster-1"
domain = "cluster.local"
bundle = "cluster-1-ca.pem"

[[trust]]
name = "cluster-2"
domain = "cluster.local"
bundle = "cluster-2-ca.pem"

[[service]]
host = "httpbin.default.svc.cluster.local"
port = 8000
allow = [{{ id = "spiffe://cluster.local/ns/default/sa/sleep", from = "cluster-1" }}]
# The first refuses connections; no caller notices.
endpoints = [{{ address = "{refusing}", weight = 100 }}, {{ address = "{httpbin}" }}]

[[service]]
host = "retired.default.svc.cluster.local"
port = 8000
allow = [{{ id = "spiffe://cluster.local/ns/default/sa/sleep", from = "cluster-1" }}]
endpoints = []

[[service]]
host = "ledger.default.svc.cluster.local"
port = 443
mode = "passthrough"
endpoints = [{{ address = "{ledger}" }}]
"#
    )
}

fn svid(path: &str, now: UnixTime) -> anyhow::Result<LeafOptions> {
    Ok(LeafOptions::svid(&SpiffeId::parse(&format!("spiffe://cluster.local/{path}"))?, now))
}

fn client(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider.clone());
    Ok(builder.with_protocol_versions(&[&rustls::version::TLS13])?.with_root_certificates(roots.clone()))
}

/// Offers what a sidecar offers for HTTP/1.1 (Istio's `istio.alpn` filter).
fn sidecar(mut tls: ClientConfig) -> ClientConfig {
    tls.alpn_protocols = ["istio-http/1.1", "istio", "http/1.1"].map(|name| name.as_bytes().to_vec()).into();
    tls
}

fn keep(folder: &Path, name: &str, issued: &Issued) -> anyhow::Result<()> {
    write(folder, &format!("{name}.pem"), &issued.chain_pem())?;
    write(folder, &format!("{name}.key"), &issued.key_pem())
}

fn write(folder: &Path, name: &str, content: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(content.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// An address on which nobody listens any more.
async fn refusing() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

async fn serve_plain(body: &'static str) -> anyhow::Result<SocketAddr> {
    serve(move |tcp| async move { answer(tcp, body).await }).await
}

/// An endpoint that speaks mutual TLS itself and believes the callers' CA.
async fn serve_tls(
    provider: &Arc<CryptoProvider>,
    callers: &Ca,
    own: Issued,
    body: &'static str,
) -> anyhow::Result<SocketAddr> {
    let mut roots = RootCertStore::empty();
    roots.add(callers.certificate().clone())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(own.chain, own.key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve(move |tcp| {
        let acceptor = acceptor.clone();
        async move { answer(acceptor.accept(tcp).await?, body).await }
    })
    .await
}

async fn serve<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> anyhow::Result<SocketAddr>
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(serve(tcp));
        }
    });
    Ok(address)
}

/// Answers one HTTP/1.1 request with `body`, and closes.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, body: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 || request.len() > 64 * 1024 {
            return Ok(());
        }
    }
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    stream.read_to_end(&mut Vec::new()).await.map(|_| ())
}
