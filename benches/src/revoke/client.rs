//! The clients: sidecars of two identities, each with many connections.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use landbridge_testkit::client::Sidecar;
use landbridge_testkit::pki::Svid;
use landbridge_testkit::world::HTTPBIN;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::events::{Event, Events, Half, How, now, numbers};
use super::peer;

/// How many handshakes are made at a time.
const HANDSHAKES: usize = 32;

/// What every connection is given.
struct Clients {
    gateway: SocketAddr,
    doomed: TlsConnector,
    bystander: TlsConnector,
    turns: Semaphore,
    told: UnboundedSender<Event>,
    /// Counts how often everybody was asked to prove that it lives.
    prove: watch::Sender<usize>,
}

pub(super) fn run(folder: &Path) -> anyhow::Result<()> {
    let (told, coming) = unbounded_channel();
    let clients = Arc::new(Clients {
        gateway: fs::read_to_string(folder.join("address"))?.parse()?,
        doomed: connector(folder, "doomed")?,
        bystander: connector(folder, "bystander")?,
        turns: Semaphore::new(HANDSHAKES),
        told,
        prove: watch::Sender::new(0),
    });
    peer::runtime()?.block_on(obey(clients, Events::new(coming)))
}

async fn obey(clients: Arc<Clients>, mut events: Events) -> anyhow::Result<()> {
    let mut orders = peer::orders();
    while let Some(order) = orders.recv().await {
        let report = match order.split(' ').next() {
            Some("open") => {
                let [doomed, bystanders] = numbers(&order)?;
                for index in 0..doomed.max(bystanders) {
                    for (half, count) in [(Half::Doomed, doomed), (Half::Bystander, bystanders)] {
                        if index < count {
                            tokio::spawn(clients.clone().live(half));
                        }
                    }
                }
                events.opened(doomed + bystanders).await
            }
            Some("cuts") => {
                let [count] = numbers(&order)?;
                events.cut(count).await
            }
            Some("prove") => {
                let [count] = numbers(&order)?;
                clients.prove.send_modify(|asked| *asked += 1);
                events.proven(count).await
            }
            _ => bail!("no such order: {order}"),
        };
        peer::answer(&report)?;
    }
    Ok(())
}

fn connector(folder: &Path, name: &str) -> anyhow::Result<TlsConnector> {
    let read = |ending: &str| fs::read_to_string(folder.join(format!("{name}.{ending}")));
    let identity = Svid { chain: read("pem")?, key: read("key")?, serial: Vec::new() };
    let roots = fs::read_to_string(folder.join("gateway-root.pem"))?;
    Ok(Arc::new(Sidecar::new(&identity, &roots).config).into())
}

impl Clients {
    /// One connection, from its handshake to its end.
    async fn live(self: Arc<Self>, half: Half) {
        let (event, stream) = match self.open(half).await {
            Ok(stream) => (Event::Opened, Some(stream)),
            Err(error) => (Event::Failed(format!("{error:#}")), None),
        };
        // The receiver lives as long as the process.
        let _ = self.told.send(event);
        let Some(mut stream) = stream else { return };
        let mut asked = self.prove.subscribe();
        let mut piece = [0];
        loop {
            tokio::select! {
                read = stream.read(&mut piece) => {
                    let event = match read {
                        Ok(1) => Event::Proven,
                        ended => Event::Ended(half, now(), How::of(&ended)),
                    };
                    let over = matches!(event, Event::Ended(..));
                    let _ = self.told.send(event);
                    if over {
                        // Buried when all are counted: what that costs is no part of what is measured.
                        let _ = asked.changed().await;
                        return;
                    }
                }
                _ = asked.changed() => {
                    // The read tells how it ended, if it has.
                    let _ = stream.write_all(&piece).await;
                }
            }
        }
    }

    /// Connects and gets its first byte back.
    async fn open(&self, half: Half) -> anyhow::Result<TlsStream<TcpStream>> {
        let _turn = self.turns.acquire().await?;
        let tcp = TcpStream::connect(self.gateway).await?;
        tcp.set_nodelay(true)?;
        let connector = match half {
            Half::Doomed => &self.doomed,
            Half::Bystander => &self.bystander,
        };
        let mut stream = connector.connect(ServerName::try_from(HTTPBIN)?, tcp).await?;
        stream.write_all(&[half.byte()]).await?;
        stream.read_exact(&mut [0]).await?;
        Ok(stream)
    }
}
