//! Connecting to an endpoint: the next one on refusal or silence, the first to connect wins.
//!
//! No byte of the client is consumed before an endpoint has answered, so a single bad endpoint is never
//! the caller's problem.

use std::collections::hash_map::RandomState;
use std::future::{Future, pending, poll_fn};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use landbridge_core::config::Timeouts;
use landbridge_core::endpoint::{Active, Asking, Choice, Pool};
use landbridge_core::outcome::UpstreamFacts;
use landbridge_core::{Endpoint, Permit, Reason};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::record::Record;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket;

/// A connection to an endpoint.
pub(crate) struct Connected {
    pub(crate) tcp: TcpStream,
    /// Keeps the endpoint's count.
    pub(crate) active: Active,
    /// How long it took, from the first try on.
    pub(crate) took: Duration,
}

/// What is written to an endpoint before any byte of the client.
pub(crate) type Preface = Arc<[u8]>;

/// One try that is under way.
type Try = Pin<Box<dyn Future<Output = (Active, io::Result<TcpStream>)> + Send>>;

/// Connects to one endpoint of `pool`.
///
/// A try that fails is followed by the next endpoint at once; one that has not answered after
/// `timeouts.connect_hedge` gets company; each may take `timeouts.connect`, all of them together
/// `timeouts.connect_total`. The permit is what allows any of it. A try includes writing `preface`, so
/// that an endpoint which does not take it has failed.
pub(crate) async fn connect(
    shared: &Shared,
    _permit: &Permit,
    pool: &Pool,
    preface: Option<Preface>,
    record: &mut Record,
) -> Result<Connected, Refusal> {
    let mut tries = Tries {
        shared,
        pool,
        preface,
        source: record.source(),
        started: Instant::now(),
        tried: Vec::new(),
        running: Vec::new(),
        last: None,
    };
    let total = async {
        match shared.config.timeouts.connect_total {
            Some(total) => sleep(total).await,
            None => pending().await,
        }
    };
    let connected = tokio::select! {
        biased;
        connected = tries.run() => connected,
        () = total => None,
    };
    let attempts = u32::try_from(tries.tried.len()).unwrap_or(u32::MAX);
    let facts = |host, local, connect| Some(UpstreamFacts { host, local, connect, attempts });
    if let Some(connected) = connected {
        let host = connected.active.endpoint().address();
        let local = connected.tcp.local_addr().ok();
        record.note(|outcome| outcome.upstream = facts(host, local, Some(connected.took)));
        return Ok(connected);
    }
    tries.pass_over_silent(tries.tried.len());
    record.note(|outcome| {
        outcome.upstream = tries.tried.last().and_then(|host| facts(*host, None, None));
    });
    Err(tries.failure())
}

struct Tries<'a> {
    shared: &'a Shared,
    pool: &'a Pool,
    preface: Option<Preface>,
    source: IpAddr,
    started: Instant,
    tried: Vec<SocketAddr>,
    running: Vec<(Arc<Endpoint>, Try)>,
    last: Option<(SocketAddr, io::Error)>,
}

impl Tries<'_> {
    /// `None` when every endpoint was tried and failed.
    async fn run(&mut self) -> Option<Connected> {
        loop {
            let more = self.begin();
            if self.running.is_empty() {
                return None;
            }
            let hedge = async {
                match self.shared.config.timeouts.connect_hedge {
                    Some(hedge) if more => sleep(hedge).await,
                    _ => pending().await,
                }
            };
            let answered = tokio::select! {
                biased;
                answered = first(&mut self.running) => answered,
                () = hedge => continue,
            };
            let (active, result) = answered;
            let endpoint = active.endpoint();
            match result {
                Ok(tcp) => {
                    endpoint.connected();
                    // Whoever was asked before the winner and is silent still is not worth asking soon.
                    let winner = endpoint.address();
                    self.pass_over_silent(
                        self.tried.iter().take_while(|address| **address != winner).count(),
                    );
                    return Some(Connected { tcp, active, took: self.started.elapsed() });
                }
                Err(error) => {
                    if !is_our_own(&error) {
                        endpoint.failed(self.shared.epoch.elapsed());
                    }
                    self.last = Some((endpoint.address(), error));
                }
            }
        }
    }

    /// Begins a try on an endpoint that was not tried; false if there is none.
    fn begin(&mut self) -> bool {
        let asking = Asking { now: self.shared.epoch.elapsed(), random: entropy(), source: self.source };
        let Some(endpoint) = self.pool.choose(&asking, &self.tried, Choice::Any) else { return false };
        let address = endpoint.address();
        self.tried.push(address);
        let active = endpoint.begin();
        let timeouts = self.shared.config.timeouts.clone();
        let preface = self.preface.clone();
        let running = async move {
            let limit = timeouts.connect.unwrap_or(Duration::MAX);
            let result = timeout(limit, dial(address, &timeouts, preface.as_deref()))
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            (active, result)
        };
        self.running.push((endpoint.clone(), Box::pin(running)));
        true
    }

    /// Ends the tries that have not answered. Of those that were among the `first` to begin, the
    /// endpoints are passed over for a while; the others had less time than the winner.
    fn pass_over_silent(&mut self, first: usize) {
        let (now, blamed) = (self.shared.epoch.elapsed(), self.tried.get(..first).unwrap_or_default());
        for (endpoint, _) in self.running.drain(..) {
            if blamed.contains(&endpoint.address()) {
                endpoint.failed(now);
            }
        }
    }

    fn failure(&self) -> Refusal {
        match &self.last {
            Some((address, error)) => {
                let reason = match error.kind() {
                    io::ErrorKind::ConnectionRefused => Reason::ConnectRefused,
                    io::ErrorKind::TimedOut => Reason::ConnectTimeout,
                    _ => Reason::ConnectFailed,
                };
                Refusal::reset(reason).because(format!("{address}: {error}"))
            }
            None => Refusal::reset(Reason::ConnectTimeout).because("no endpoint answered in time"),
        }
    }
}

/// Dropped before it is done, it leaves the endpoint a reset, never an empty stream that ended cleanly.
async fn dial(address: SocketAddr, timeouts: &Timeouts, preface: Option<&[u8]>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_zero_linger()?;
    let mut tcp = socket.connect(address).await?;
    socket::tune(&tcp, timeouts)?;
    if let Some(preface) = preface {
        tcp.write_all(preface).await?;
    }
    Ok(tcp)
}

/// Waits for the first of the running tries to end, and takes it out.
async fn first(running: &mut Vec<(Arc<Endpoint>, Try)>) -> (Active, io::Result<TcpStream>) {
    poll_fn(|context| {
        for index in 0..running.len() {
            if let Some((_, dial)) = running.get_mut(index)
                && let Poll::Ready(answered) = dial.as_mut().poll(context)
            {
                drop(running.swap_remove(index));
                return Poll::Ready(answered);
            }
        }
        Poll::Pending
    })
    .await
}

/// Errors that say nothing about the endpoint: this machine is out of descriptors, memory or ports.
fn is_our_own(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory)
        || matches!(error.raw_os_error(), Some(ENFILE | EMFILE | ENOBUFS))
}

/// A number that is different each time; it only spreads load.
fn entropy() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_try_that_is_given_up_after_it_connected_is_a_reset_at_the_endpoint() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let timeouts = Timeouts::default();
        let mut trying = Box::pin(dial(listener.local_addr().unwrap(), &timeouts, None));
        assert!(trying.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        // The kernel has made the connection by now; nobody has told the try of it.
        let (mut accepted, _) = listener.accept().unwrap();
        drop(trying);
        let end = accepted.read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn an_endpoint_that_does_not_take_the_preface_is_a_failed_try() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // More than the sockets hold, so that somebody has to read.
        let preface = vec![0; 64 << 20];
        let trying =
            tokio::spawn(async move { dial(address, &Timeouts::default(), Some(&preface)).await.is_err() });
        let accepted = tokio::task::spawn_blocking(move || {
            let (mut accepted, _) = listener.accept().unwrap();
            accepted.read_exact(&mut [0; 16]).unwrap();
        });
        accepted.await.unwrap();
        assert!(trying.await.unwrap());
    }
}
