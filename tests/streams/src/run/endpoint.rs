//! The endpoint's ends of connections: it learns from a stream's header what it has to do.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::{Connection, ServerConfig, ServerConnection};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::board::Board;
use crate::checker::Checker;
use crate::end::{End, Terms};
use crate::header::Header;
use crate::link::Link;
use crate::record::Record;
use crate::seen::Seen;

/// Who is called through the gateway.
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    heard: Arc<Heard>,
    accepting: JoinHandle<()>,
}

/// How an endpoint serves its connections.
#[derive(Clone)]
pub(crate) struct Manner {
    greeting: Greeting,
    board: Arc<Board>,
    patience: Duration,
}

/// What comes before the stream.
#[derive(Clone)]
enum Greeting {
    Nothing,
    /// A handshake.
    Tls(Arc<ServerConfig>),
    /// The ClientHello, and no answer to it.
    Hello,
}

/// What the endpoint has heard so far.
#[derive(Default)]
struct Heard {
    records: Mutex<Records>,
    changed: Notify,
}

#[derive(Default)]
struct Records {
    by_connection: HashMap<u64, Record>,
    /// Connections whose header has come, and that are not over.
    going_on: HashSet<u64>,
    /// Connections that ended before their header was whole.
    strays: Vec<Seen>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Endpoint {
    /// Listens; the stream comes in plain text.
    pub fn plain(listener: TcpListener, board: Arc<Board>, patience: Duration) -> io::Result<Self> {
        Self::serve(listener, Manner { greeting: Greeting::Nothing, board, patience })
    }

    /// Listens; the stream comes by TLS.
    pub fn tls(
        listener: TcpListener,
        config: Arc<ServerConfig>,
        board: Arc<Board>,
        patience: Duration,
    ) -> io::Result<Self> {
        Self::serve(listener, Manner { greeting: Greeting::Tls(config), board, patience })
    }

    /// Listens; the stream comes in plain text behind a ClientHello.
    pub fn raw(listener: TcpListener, board: Arc<Board>, patience: Duration) -> io::Result<Self> {
        Self::serve(listener, Manner { greeting: Greeting::Hello, board, patience })
    }

    fn serve(listener: TcpListener, manner: Manner) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let heard = Arc::new(Heard::default());
        let told = heard.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                // What went wrong with one connection is no reason to accept no other.
                if let Ok((tcp, _)) = listener.accept().await {
                    let (manner, told) = (manner.clone(), told.clone());
                    connections.spawn(async move { told.note(connection(tcp, &manner, &told).await) });
                } else {
                    tokio::task::yield_now().await;
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, heard, accepting })
    }

    /// Waits for the record of a connection, and takes it.
    pub async fn record(&self, connection: u64) -> Record {
        self.heard.wait(|records| records.by_connection.remove(&connection)).await
    }

    /// Waits for the record of a connection, and takes it; `None` if nothing was heard of it for so long.
    ///
    /// A connection that goes on is waited for until it is over, which its own patience bounds: what comes late is not lost.
    pub async fn record_if_heard(&self, connection: u64, patience: Duration) -> Option<Record> {
        let heard = self.heard.wait(|records| {
            let heard =
                records.going_on.contains(&connection) || records.by_connection.contains_key(&connection);
            heard.then_some(())
        });
        timeout(patience, heard).await.ok()?;
        Some(self.record(connection).await)
    }

    /// Waits for the next record of any connection, and takes it.
    pub async fn next(&self) -> Record {
        self.heard
            .wait(|records| {
                let connection = records.by_connection.keys().next().copied()?;
                records.by_connection.remove(&connection)
            })
            .await
    }

    /// Listens no longer; connections that are not over are dropped.
    pub async fn close(mut self) {
        self.accepting.abort();
        // It was told to end.
        let _ = (&mut self.accepting).await;
    }

    /// How connections ended that did so before their header was whole, but after their first byte.
    pub fn strays(&self) -> Vec<Seen> {
        std::mem::take(&mut self.heard.lock().strays)
    }
}

impl Heard {
    fn note(&self, heard: Result<Record, Option<Seen>>) {
        let mut records = self.lock();
        match heard {
            Ok(record) => {
                records.going_on.remove(&record.label.connection);
                records.by_connection.insert(record.label.connection, record);
            }
            Err(Some(end)) => records.strays.push(end),
            Err(None) => {}
        }
        drop(records);
        self.changed.notify_waiters();
    }

    fn begin(&self, connection: u64) {
        self.lock().going_on.insert(connection);
        self.changed.notify_waiters();
    }

    async fn wait<T>(&self, mut ask: impl FnMut(&mut Records) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // What changes between the question and the wait must wake us too.
            changed.as_mut().enable();
            if let Some(answer) = ask(&mut self.lock()) {
                return answer;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the endpoint's end of a connection; how it ended, if that was before it said which it is.
async fn connection(tcp: TcpStream, manner: &Manner, heard: &Heard) -> Result<Record, Option<Seen>> {
    let mut checker = Checker::new();
    let greeted = timeout(manner.patience, async {
        let mut link = greet(tcp, manner, &mut checker).await?;
        while checker.header().is_none() {
            if link.end().is_some() {
                return Ok(link);
            }
            link.ready(Interest::READABLE).await;
            let mut came = Vec::new();
            link.pull(&mut came, usize::MAX);
            checker.take(&came);
        }
        Ok::<_, io::Error>(link)
    });
    let link = match greeted.await {
        Ok(Ok(link)) => link,
        Ok(Err(_)) => return Err(None),
        Err(_) => return Err(Some(Seen::Silence)),
    };
    let Some(Header { label, plans }) = checker.header() else {
        return Err(link.end().cloned().filter(|_| checker.total() > 0));
    };
    heard.begin(label.connection);
    let header = Header { label: label.opposite(), plans };
    let terms = Terms { board: &manner.board, patience: manner.patience };
    Ok(End::new(link, header, checker, terms).run().await)
}

/// What comes before the stream.
async fn greet(mut tcp: TcpStream, manner: &Manner, checker: &mut Checker) -> io::Result<Link> {
    let tls = match &manner.greeting {
        Greeting::Nothing => None,
        Greeting::Tls(config) => {
            let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            Some(Connection::from(connection))
        }
        Greeting::Hello => {
            let mut head = [0; 5];
            tcp.read_exact(&mut head).await?;
            let [_, _, _, high, low] = head;
            let mut hello = vec![0; usize::from(u16::from_be_bytes([high, low]))];
            tcp.read_exact(&mut hello).await?;
            None
        }
    };
    let mut link = Link::new(tcp, tls, Vec::new())?;
    let mut early = Vec::new();
    link.handshake(&mut early).await?;
    checker.take(&early);
    Ok(link)
}
