//! The endpoint behind the gateway: echoes, swallows or sends, as the first byte of a connection asks.
//!
//! Anything else that echoes will do for the jobs that move small messages; bulk needs this one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Whatever comes goes back, this byte included.
pub(super) const ECHO: u8 = b'E';
/// Eight bytes say how many follow; the answer is how many came, again in eight.
pub(super) const SINK: u8 = b'K';
/// Eight bytes say how many to send.
pub(super) const SOURCE: u8 = b'S';
/// Eight bytes say how many come and how many to send, at once; the answer of the sink comes last.
pub(super) const BOTH: u8 = b'B';

/// What bulk consists of.
pub(super) static BLOCK: [u8; 256 * 1024] = [0x5a; 256 * 1024];

/// The first byte of a TLS record of the handshake: in raw mode the gateway hands on the ClientHello.
const HANDSHAKE: u8 = 22;

/// An endpoint that runs until it is dropped.
pub(crate) struct Upstream {
    seen: Arc<Seen>,
    accepts: JoinHandle<()>,
}

/// What an endpoint has seen of all connections, ClientHellos apart.
#[derive(Default)]
struct Seen {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Upstream {
    pub(crate) async fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
        let seen = Arc::new(Seen::default());
        let counts = seen.clone();
        let accepts = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = counts.clone();
                // How a connection ends is its caller's affair, who counts.
                tokio::spawn(async move { serve(stream, &seen).await });
            }
        });
        Ok(Self { seen, accepts })
    }

    /// How many bytes it has received and sent so far.
    pub(crate) fn carried(&self) -> (u64, u64) {
        (self.seen.received.load(Ordering::Relaxed), self.seen.sent.load(Ordering::Relaxed))
    }

    /// Stops listening; the address is free afterwards.
    pub(crate) async fn stop(mut self) {
        self.accepts.abort();
        // It was cancelled, which is what it has to say.
        let _ = (&mut self.accepts).await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn serve(mut stream: TcpStream, seen: &Seen) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = stream.read_u8().await?;
    while first == HANDSHAKE {
        let _version = stream.read_u16().await?;
        let mut record = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut record).await?;
        first = stream.read_u8().await?;
    }
    seen.received.fetch_add(1, Ordering::Relaxed);
    if first == ECHO {
        return echo(stream, seen).await;
    }
    let count = stream.read_u64().await?;
    seen.received.fetch_add(8, Ordering::Relaxed);
    match first {
        SINK => {
            let came = sink(&mut stream, count, seen).await?;
            tell(&mut stream, came, seen).await?;
        }
        SOURCE => source(&mut stream, count, seen).await?,
        BOTH => {
            let (mut from, mut to) = stream.split();
            let (came, went) = tokio::join!(sink(&mut from, count, seen), source(&mut to, count, seen));
            went?;
            tell(&mut stream, came?, seen).await?;
        }
        other => bail!("expected one of E, K, S, B, not the byte {other}"),
    }
    stream.shutdown().await?;
    // Nobody is cut off in the middle of an end.
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

async fn echo(mut stream: TcpStream, seen: &Seen) -> anyhow::Result<()> {
    let mut buffer = vec![ECHO; 16 * 1024];
    let mut count = 1;
    loop {
        // Counted before, so that nobody has bytes that are not counted.
        seen.sent.fetch_add(count as u64, Ordering::Relaxed);
        stream.write_all(buffer.get(..count).unwrap_or_default()).await?;
        count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(stream.shutdown().await?);
        }
        seen.received.fetch_add(count as u64, Ordering::Relaxed);
    }
}

async fn sink(from: &mut (impl AsyncRead + Unpin), count: u64, seen: &Seen) -> anyhow::Result<u64> {
    let mut buffer = vec![0; BLOCK.len()];
    let mut came = 0;
    while came < count {
        let most = usize::try_from(count - came).unwrap_or(usize::MAX).min(buffer.len());
        let part = from.read(buffer.get_mut(..most).unwrap_or_default()).await? as u64;
        if part == 0 {
            break;
        }
        came += part;
        seen.received.fetch_add(part, Ordering::Relaxed);
    }
    Ok(came)
}

async fn source(to: &mut (impl AsyncWrite + Unpin), count: u64, seen: &Seen) -> anyhow::Result<()> {
    seen.sent.fetch_add(count, Ordering::Relaxed);
    send(to, count).await
}

async fn tell(stream: &mut TcpStream, came: u64, seen: &Seen) -> anyhow::Result<()> {
    seen.sent.fetch_add(8, Ordering::Relaxed);
    Ok(stream.write_u64(came).await?)
}

/// Sends so many bytes.
pub(super) async fn send(to: &mut (impl AsyncWrite + Unpin), count: u64) -> anyhow::Result<()> {
    let mut left = count;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK.len());
        to.write_all(BLOCK.get(..part).unwrap_or_default()).await?;
        left -= part as u64;
    }
    Ok(to.flush().await?)
}
