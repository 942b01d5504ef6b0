//! The server: where gateways come in, and how it goes.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landbridge_certs::{KeyPair, TlsContext, TrustStore};
use landbridge_core::Service;
use landbridge_core::config::{MinTls, Problem};
use landbridge_core::policy::Policy;
use landbridge_core::table::Route;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::access::Nodes;
use crate::connection::{Going, Secure};
use crate::metrics::metrics;
use crate::roster::Roster;
use crate::store::Store;

/// Connections at once; more wait in the accept queue.
const CONNECTIONS: usize = 16 * 1024;
/// After an accept error, most often for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// How long gateways that were told to go may take to do so.
const LEAVING: Duration = Duration::from_secs(5);

/// Tells gateways what is in a store.
#[derive(Debug)]
pub struct Server {
    pub(crate) name: Arc<str>,
    pub(crate) store: Arc<Store>,
    pub(crate) nodes: Nodes,
    pub(crate) roster: Arc<Roster>,
    problems: Mutex<Vec<Problem>>,
    /// The one place to go of every handshake, with who may.
    route: Arc<Route>,
}

/// Where gateways come in.
#[derive(Debug)]
pub enum Listener {
    /// Over TCP.
    Tcp(TcpListener),
    /// Over a unix socket.
    Unix(UnixListener),
}

/// How gateways prove who they are.
#[derive(Debug, Clone)]
pub enum Security {
    /// Not at all: on loopback and unix sockets alone.
    Plain,
    /// By mutual TLS, with the identity that the server has at the time. Who is not believed any more is cut.
    Mtls(watch::Receiver<Arc<Identity>>),
}

/// Who the server is, and whom it believes.
#[derive(Debug)]
pub struct Identity {
    /// What it presents.
    pub key: KeyPair,
    /// Whom it believes.
    pub trust: Arc<TrustStore>,
}

impl Server {
    /// A server of this name, which tells `nodes` of what is in `store`.
    pub fn new(name: &str, store: Arc<Store>, nodes: Nodes) -> Arc<Self> {
        let route = route(&nodes);
        Arc::new(Self {
            name: name.into(),
            store,
            nodes,
            roster: Arc::default(),
            problems: Mutex::default(),
            route,
        })
    }

    /// Who is connected.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Lets gateways in until `going` resolves, then tells all of them when to come back, spread over the time that it
    /// says, and resolves when they are gone or did not go.
    ///
    /// # Errors
    /// There is no TLS to be had from the provider, which a build of this crate always has.
    pub async fn serve(
        self: Arc<Self>,
        listener: Listener,
        security: Security,
        going: impl Future<Output = Duration>,
    ) -> io::Result<()> {
        let context = Arc::new(TlsContext::new(MinTls::V1_3).map_err(io::Error::other)?);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let (go, gone) = watch::channel(Going::No);
        let tasks = TaskTracker::new();
        let mut going = std::pin::pin!(going);
        let spread = loop {
            let accepted = tokio::select! {
                spread = &mut going => break spread,
                accepted = accept(&listener, &places) => accepted,
            };
            let Some((place, stream, peer)) = accepted else { continue };
            let secure = match &security {
                Security::Plain => None,
                Security::Mtls(identity) => Some(Secure {
                    context: context.clone(),
                    route: self.route.clone(),
                    identity: identity.clone(),
                }),
            };
            let (server, gone) = (self.clone(), gone.clone());
            tasks.spawn(async move {
                server.connection(stream, peer, secure, gone).await;
                drop(place);
            });
        };
        drop(listener);
        go.send_replace(Going::Within(spread));
        tasks.close();
        if tokio::time::timeout(LEAVING, tasks.wait()).await.is_err() {
            tracing::info!(left = self.roster.len(), "not waiting any longer for gateways to leave");
        }
        Ok(())
    }

    /// Notes what is wrong at the source, to be told with the rest. Returns what was not known of before.
    pub fn note_problems(&self, problems: Vec<Problem>) -> Vec<Problem> {
        let mut known = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = problems.iter().filter(|problem| !known.contains(problem)).cloned().collect();
        *known = problems;
        fresh
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it is, as JSON.
    pub fn told(&self) -> Value {
        json!({
            "server": &*self.name,
            "resources": self.store.len(),
            "seq": self.store.seq().to_string(),
            "problems": self.problems(),
            "gateways": self.roster.told(&self.store),
        })
    }

    /// Metrics, in Prometheus's text format.
    pub fn metrics(&self) -> String {
        metrics(&self.store, &self.roster, self.problems().len())
    }

    pub(crate) fn refuse(&self, peer: &str, why: &str) {
        self.roster.totals.refused_streams.fetch_add(1, Ordering::Relaxed);
        tracing::info!(peer, why, "refused a gateway");
    }
}

/// A byte stream of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl Stream for TcpStream {}
impl Stream for UnixStream {}

type Accepted = (tokio::sync::OwnedSemaphorePermit, Box<dyn Stream>, String);

/// The next connection; `None` where there was none to be had, after a pause.
async fn accept(listener: &Listener, places: &Arc<Semaphore>) -> Option<Accepted> {
    // Never closed, so an error can't happen.
    let place = places.clone().acquire_owned().await.ok()?;
    let accepted = match listener {
        Listener::Tcp(listener) => listener.accept().await.map(|(tcp, address)| {
            // A heartbeat is worth nothing late.
            let _ = tcp.set_nodelay(true);
            (Box::new(tcp) as Box<dyn Stream>, address.to_string())
        }),
        Listener::Unix(listener) => listener.accept().await.map(|(unix, _)| {
            let process = unix.peer_cred().ok().and_then(|credentials| credentials.pid());
            let peer = process.map_or_else(|| "unix".to_owned(), |pid| format!("unix:{pid}"));
            (Box::new(unix) as Box<dyn Stream>, peer)
        }),
    };
    match accepted {
        Ok((stream, peer)) => Some((place, stream, peer)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a gateway; trying again");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

/// The gate that all handshakes go through: who may is asked as for a service of a gateway.
fn route(nodes: &Nodes) -> Arc<Route> {
    let mut service = Service::terminate("control", 15010);
    service.policy = Policy::allow(nodes.grants());
    Arc::new(Route::without_endpoints(service))
}
