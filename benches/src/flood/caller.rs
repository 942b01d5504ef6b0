//! Callers with a certificate, at an even rate, and an endpoint that echoes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use landbridge_streams::client_config;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsConnector;

use crate::gateways::{Place, SNI};

/// A call that takes longer is one that was not answered.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Callers {
    gateway: SocketAddr,
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// What came of the calls.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) calls: usize,
    /// How long each answer took, in order.
    took: Vec<Duration>,
}

impl Callers {
    /// Reads who calls, and lets the endpoint listen.
    pub(super) async fn new(place: &Place) -> anyhow::Result<Self> {
        let (chain, key) = (place.read("client.pem")?, place.read("client.key")?);
        let tls =
            client_config(Some((&chain, &key)), &place.read("ca.pem")?).map_err(|error| anyhow!(error))?;
        let listener = TcpListener::bind(place.endpoint).await?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(echo(stream));
            }
        });
        Ok(Self { gateway: place.gateway, tls, name: ServerName::try_from(SNI)? })
    }

    /// Calls so often a second for that long, whatever becomes of the calls before.
    pub(super) async fn call(&self, a_second: u32, time: Duration) -> Answers {
        let took: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let mut calls = JoinSet::new();
        let mut tick = interval(Duration::from_secs(1) / a_second.max(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (begin, mut made) = (Instant::now(), 0);
        while begin.elapsed() < time {
            let due = tick.tick().await;
            made += 1;
            let call = one(self.gateway, TlsConnector::from(self.tls.clone()), self.name.clone());
            let took = took.clone();
            calls.spawn(async move {
                // From when it was due: a caller that could not even begin has waited too.
                if let Ok(Some(())) = timeout(PATIENCE, call).await {
                    took.lock().unwrap_or_else(PoisonError::into_inner).push(due.elapsed());
                }
            });
        }
        while calls.join_next().await.is_some() {}
        let mut took = std::mem::take(&mut *took.lock().unwrap_or_else(PoisonError::into_inner));
        took.sort_unstable();
        Answers { calls: made, took }
    }
}

impl Answers {
    pub(super) fn answered(&self) -> usize {
        self.took.len()
    }

    /// Of those that were answered, in milliseconds.
    pub(super) fn percentile(&self, percent: usize) -> String {
        let index = (self.took.len() * percent / 100).min(self.took.len().saturating_sub(1));
        self.took.get(index).map_or("-".to_owned(), |took| format!("{:.1} ms", took.as_secs_f64() * 1000.0))
    }
}

async fn one(gateway: SocketAddr, tls: TlsConnector, name: ServerName<'static>) -> Option<()> {
    let tcp = TcpStream::connect(gateway).await.ok()?;
    tcp.set_nodelay(true).ok()?;
    let mut stream = tls.connect(name, tcp).await.ok()?;
    stream.write_all(&[7; 64]).await.ok()?;
    stream.read_exact(&mut [0; 64]).await.ok()?;
    stream.shutdown().await.ok()
}

async fn echo(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let (mut from, mut to) = stream.split();
    let _ = tokio::io::copy(&mut from, &mut to).await;
}
