//! `afternoon`: the proxy that one writes in an afternoon, from tokio, tokio-rustls and `copy_bidirectional`.
//!
//! It is what Landbridge is compared with: what is faster than this was worth the work, and what is slower was not.
//! It has no limits, timeouts, policy or log, and hands on a truncated stream as a clean end. Not for use.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use rustls::crypto::aws_lc_rs::{Ticketer, cipher_suite, default_provider, kx_group};
use rustls::server::{Acceptor, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The baseline of `compare`: the proxy that one writes in an afternoon
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Server names and where they lead, one pair in a line.
    #[arg(long, value_name = "FILE")]
    routes: PathBuf,
    /// Its certificate chain and key, and whose certificates it believes; without it, it passes through.
    #[arg(long, value_name = "FILE", num_args = 3, value_names = ["CHAIN", "KEY", "CA"])]
    terminate: Option<Vec<PathBuf>>,
    /// Whether callers may resume their sessions.
    #[arg(long, default_value = "off")]
    tickets: Tickets,
    /// How many threads.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tickets {
    Off,
    On,
}

type Routes = HashMap<String, SocketAddr>;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    crate::process::raise_open_files()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.workers).enable_all().build()?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let routes = Arc::new(routes(&std::fs::read_to_string(&arguments.routes)?)?);
    let tls = match arguments.terminate.as_deref() {
        Some([chain, key, ca]) => Some(TlsAcceptor::from(tls(chain, key, ca, arguments.tickets)?)),
        _ => None,
    };
    let listener = TcpListener::bind(arguments.listen).await?;
    loop {
        let (client, _) = listener.accept().await?;
        let (tls, routes) = (tls.clone(), routes.clone());
        tokio::spawn(async move {
            match tls {
                Some(tls) => terminate(client, &tls, &routes).await,
                None => pass(client, &routes).await,
            }
        });
    }
}

async fn terminate(client: TcpStream, tls: &TlsAcceptor, routes: &Routes) -> anyhow::Result<()> {
    client.set_nodelay(true)?;
    let client = tls.accept(client).await?;
    let name = client.get_ref().1.server_name().context("no server name")?;
    let endpoint = TcpStream::connect(routes.get(name).context("no such route")?).await?;
    carry(client, endpoint).await
}

async fn pass(mut client: TcpStream, routes: &Routes) -> anyhow::Result<()> {
    client.set_nodelay(true)?;
    let (mut acceptor, mut hello) = (Acceptor::default(), Vec::new());
    let name = loop {
        let mut buffer = [0; 4096];
        let count = client.read(&mut buffer).await?;
        let mut part = buffer.get(..count).unwrap_or_default();
        ensure!(count > 0 && hello.len() < 16384, "no ClientHello");
        hello.extend_from_slice(part);
        while !part.is_empty() {
            acceptor.read_tls(&mut part)?;
        }
        if let Some(accepted) = acceptor.accept().map_err(|(error, _)| error)? {
            break accepted.client_hello().server_name().map(str::to_owned);
        }
    };
    let name = name.context("no server name")?;
    let mut endpoint = TcpStream::connect(routes.get(&name).context("no such route")?).await?;
    endpoint.write_all(&hello).await?;
    carry(client, endpoint).await
}

async fn carry(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut endpoint: TcpStream,
) -> anyhow::Result<()> {
    endpoint.set_nodelay(true)?;
    #[expect(clippy::disallowed_methods, reason = "it is what the baseline is made of, lies and all")]
    tokio::io::copy_bidirectional(&mut client, &mut endpoint).await?;
    Ok(())
}

fn routes(text: &str) -> anyhow::Result<Routes> {
    text.lines()
        .map(|line| {
            let (name, address) = line.split_once(' ').context("expected a name and an address")?;
            Ok((name.to_owned(), address.parse()?))
        })
        .collect()
}

fn tls(chain: &Path, key: &Path, ca: &Path, tickets: Tickets) -> anyhow::Result<Arc<ServerConfig>> {
    let mut provider = default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    provider.kx_groups = vec![kx_group::X25519];
    let provider = Arc::new(provider);
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(ca)? {
        roots.add(root?)?;
    }
    let callers = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone()).build()?;
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(callers)
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    match tickets {
        Tickets::Off => config.send_tls13_tickets = 0,
        Tickets::On => config.ticketer = Ticketer::new()?,
    }
    Ok(Arc::new(config))
}
