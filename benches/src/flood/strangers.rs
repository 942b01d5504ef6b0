//! Strangers: connections that nobody asked for, from addresses of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use landbridge_streams::hello_config;
use rustls::ClientConnection;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::gateways::SNI;

/// What a crowd of strangers does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flood {
    /// They connect and say nothing, again as soon as they are thrown out.
    Silent,
    /// They say hello and never go on, again as soon as they are thrown out.
    Stuck,
    /// They say hello, take the answer, which costs the gateway its signature, and leave: a hundred at a time.
    Anonymous,
}

impl Flood {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Stuck => "stuck",
            Self::Anonymous => "anonymous",
        }
    }
}

/// A crowd at work.
pub(super) struct Strangers {
    crowd: JoinSet<()>,
    came: Arc<AtomicU64>,
}

/// How many shake hands at once.
const AT_ONCE: usize = 100;

impl Strangers {
    pub(super) fn begin(flood: Flood, gateway: SocketAddr, (many, sources): (usize, u32)) -> Self {
        let came = Arc::new(AtomicU64::new(0));
        // Made once: keys cost more than all the rest of a stranger, and callers would wait for their own machine.
        let hello: Arc<[u8]> = hello().unwrap_or_default().into();
        let many = if flood == Flood::Anonymous { AT_ONCE } else { many };
        let mut crowd = JoinSet::new();
        for stranger in 0..many {
            let source = u32::try_from(stranger).unwrap_or(0) % sources;
            // 127.1.0.1 and up: the callers are at 127.0.0.1.
            let source = Ipv4Addr::from(0x7f01_0001_u32.wrapping_add(source));
            let say = (flood != Flood::Silent).then(|| hello.clone());
            crowd.spawn(again_and_again((flood, say), source, gateway, came.clone()));
        }
        Self { crowd, came }
    }

    /// How many connections they made.
    pub(super) fn end(mut self) -> u64 {
        self.crowd.abort_all();
        self.came.load(Ordering::Relaxed)
    }
}

async fn again_and_again(
    (flood, say): (Flood, Option<Arc<[u8]>>),
    source: Ipv4Addr,
    gateway: SocketAddr,
    came: Arc<AtomicU64>,
) {
    loop {
        let Some(mut tcp) = dial(source, gateway).await else {
            // Refused, or no port left: as busy as before, but not for ever at once.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        came.fetch_add(1, Ordering::Relaxed);
        if let Some(hello) = &say
            && tcp.write_all(hello).await.is_err()
        {
            continue;
        }
        match flood {
            Flood::Silent | Flood::Stuck => until_thrown_out(&mut tcp).await,
            Flood::Anonymous => {
                let _ = timeout(Duration::from_secs(5), tcp.read(&mut [0; 4096])).await;
            }
        }
    }
}

async fn dial(source: Ipv4Addr, gateway: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    // Gone by RST, so that no port waits.
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).ok()?;
    socket.bind((source, 0).into()).ok()?;
    timeout(Duration::from_secs(5), socket.connect(gateway)).await.ok()?.ok()
}

/// A ClientHello that names the service.
fn hello() -> Option<Vec<u8>> {
    let name = ServerName::try_from(SNI).ok()?;
    let mut client = ClientConnection::new(hello_config().ok()?, name).ok()?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).ok()?;
    Some(bytes)
}

async fn until_thrown_out(tcp: &mut TcpStream) {
    while let Ok(1..) = tcp.read(&mut [0; 4096]).await {}
}
