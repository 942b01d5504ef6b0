//! Connections through a gateway: new ones that ask which endpoint answers, and long ones that feel every stall.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long is waited for what should come at once.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a long connection says something.
const EVERY: Duration = Duration::from_millis(2);

/// Waits, on a thread that has nothing else to do.
#[expect(clippy::disallowed_methods, reason = "this thread measures and serves nobody")]
pub(super) fn rest(time: Duration) {
    thread::sleep(time);
}

/// Two endpoints that say their letter to whoever connects, and then echo.
pub(super) struct Endpoints {
    /// Address and letter of each.
    pub(super) each: [(SocketAddr, u8); 2],
    _runtime: Runtime,
}

impl Endpoints {
    pub(super) fn start() -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let one = runtime.block_on(endpoint(b'a'))?;
        let other = runtime.block_on(endpoint(b'b'))?;
        Ok(Self { each: [(one, b'a'), (other, b'b')], _runtime: runtime })
    }
}

async fn endpoint(letter: u8) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, letter));
        }
    });
    Ok(address)
}

/// How it ends is seen by the other end.
async fn answer(mut stream: TcpStream, letter: u8) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(&[letter]).await?;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(buffer.get(..count).unwrap_or_default()).await?,
        }
    }
}

/// A way into a gateway.
#[derive(Debug, Clone)]
pub(super) struct Door {
    address: SocketAddr,
    hello: Vec<u8>,
}

impl Door {
    /// By this server name.
    pub(super) fn new(address: SocketAddr, name: &str) -> anyhow::Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(landbridge_certs::tls::provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let mut connection = ClientConnection::new(Arc::new(config), name.to_owned().try_into()?)?;
        let mut hello = Vec::new();
        connection.write_tls(&mut hello)?;
        Ok(Self { address, hello })
    }

    /// The letter of the endpoint that a new connection reaches.
    pub(super) fn letter(&self) -> std::io::Result<u8> {
        let mut stream = std::net::TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&self.hello)?;
        let mut letter = [0];
        stream.read_exact(&mut letter)?;
        let [letter] = letter;
        Ok(letter)
    }

    /// Waits until a new connection reaches this letter; how long that took.
    pub(super) fn reaches(&self, letter: u8, since: Instant) -> anyhow::Result<Duration> {
        loop {
            let reached = self.letter();
            let took = since.elapsed();
            match reached {
                Ok(reached) if reached == letter => return Ok(took),
                Ok(_other) => {}
                // Nobody listens before the first configuration.
                Err(_refused) => rest(EVERY),
            }
            ensure!(took < PATIENCE, "the change is not in force after {PATIENCE:?}");
        }
    }
}

/// Long connections that say a byte every now and then and note how long its echo took.
pub(super) struct Pings {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Vec<Duration>>>,
}

impl Pings {
    pub(super) fn start(door: &Door, streams: usize) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let over = stop.clone();
        let door = door.clone();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("pings".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                for _ in 0..streams {
                    tasks.spawn(ping(door.clone(), over.clone()));
                }
                let mut all = Vec::new();
                while let Some(one) = tasks.join_next().await {
                    all.extend(one??);
                }
                Ok(all)
            })
        })?;
        Ok(Self { stop, thread })
    }

    /// Every round trip.
    pub(super) fn end(self) -> anyhow::Result<Vec<Duration>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().ok().context("a thread panicked")?
    }
}

async fn ping(door: Door, over: Arc<AtomicBool>) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(door.address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&door.hello).await?;
    let mut greeting = vec![0; door.hello.len() + 1];
    stream.read_exact(&mut greeting).await?;
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trips = Vec::new();
    while !over.load(Ordering::Relaxed) {
        tick.tick().await;
        let start = Instant::now();
        stream.write_all(b"-").await?;
        timeout(PATIENCE, stream.read_exact(&mut [0])).await.context("a stream stalled for good")??;
        trips.push(start.elapsed());
    }
    Ok(trips)
}
