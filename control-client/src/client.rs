//! The stream client: keeps one stream to one of several servers, and hands what comes of it to its owner.
//!
//! It drives a [`Session`]; the pure part decides, this one moves bytes and waits. Its owner has the other end, a
//! [`Feed`].

mod dial;
mod feed;
mod schedule;
mod stream;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

pub use self::dial::{Address, Credentials, Server, TlsSource};
pub use self::feed::{Connected, Failure, Feed, State};

use self::feed::Order;
use self::schedule::{Ended, Schedule};
use self::stream::Stream;
use crate::held::Held;
use crate::session::{Event, Limits, Session, SessionError};
use crate::wire::Node;

/// What a client is told once.
#[derive(Debug)]
pub struct Config {
    /// How the gateway is called.
    pub node: Node,
    /// The servers in order of preference. Without any the client does nothing.
    pub servers: Vec<Server>,
    /// How large an update may be.
    pub limits: Limits,
}

/// Why a stream ended, or couldn't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody there.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// Without TLS to another machine.
    #[error("expected a loopback address or a unix socket for a stream without TLS; use https")]
    Plain,
    /// The gateway's own certificate or whom it believes can't be had.
    #[error("no credentials for the stream")]
    Credentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server didn't prove who it is, or refused the gateway.
    #[error("the TLS handshake failed")]
    Handshake(#[source] std::io::Error),
    /// Something else answers there.
    #[error("expected the application protocol h2; is there a control server at this address?")]
    Alpn,
    /// Nothing came of it in time.
    #[error("no stream within {} seconds", OPENING.as_secs())]
    Slow,
    /// The connection broke, or isn't HTTP/2.
    #[error("the HTTP/2 connection failed")]
    Http(#[source] hyper::Error),
    /// The server answered, but not with a stream.
    #[error("expected a stream, and the server answers {0}")]
    Status(hyper::StatusCode),
    /// The server ended the stream without a word.
    #[error("the server ended the stream")]
    Closed,
    /// What the server says, or that it doesn't.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// How long it may take until the server's answer begins.
const OPENING: Duration = Duration::from_secs(10);

/// Keeps a stream open, and its owner fed.
#[derive(Debug)]
pub struct Client {
    servers: Vec<Server>,
    session: Session,
    held: Arc<Mutex<Held>>,
    events: mpsc::Sender<Event>,
    orders: mpsc::Receiver<Order>,
    state: watch::Sender<State>,
    /// What the session's times are counted from.
    start: Instant,
}

/// The owner dropped its end.
struct OwnerGone;

/// Why a conversation ended.
enum Over {
    OwnerGone,
    Failed(ClientError),
}

impl From<OwnerGone> for Over {
    fn from(OwnerGone: OwnerGone) -> Self {
        Self::OwnerGone
    }
}

impl<E: Into<ClientError>> From<E> for Over {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Client {
    /// A client that isn't connected yet, and its owner's end.
    ///
    /// `held` is locked for moments: where bytes came in, and where an answer puts an update in force. The owner may read
    /// it, and must not hold the lock for long.
    pub fn new(config: Config, held: Arc<Mutex<Held>>) -> (Self, Feed) {
        let (events, from_client) = mpsc::channel(1);
        let (to_client, orders) = mpsc::channel(16);
        let (state, watched) = watch::channel(State::default());
        let session = Session::new(config.node, config.limits);
        let client =
            Self { servers: config.servers, session, held, events, orders, state, start: Instant::now() };
        (client, Feed::new(from_client, to_client, watched))
    }

    /// Connects, and connects again, until the [`Feed`] is dropped.
    ///
    /// # Cancel safety
    /// Dropping it closes the stream. An update that wasn't answered isn't in force then.
    pub async fn run(mut self) {
        let OwnerGone = match self.keep_connected().await {
            Ok(never) => match never {},
            Err(gone) => gone,
        };
    }

    async fn keep_connected(&mut self) -> Result<Infallible, OwnerGone> {
        let mut schedule = Schedule::new(self.servers.len());
        loop {
            let Some(server) = self.servers.get(schedule.server()).cloned() else {
                self.exchange().await?;
                continue;
            };
            let began = self.now();
            let opening = timeout(OPENING, Stream::open(&server));
            let opened = match self.meanwhile(opening).await? {
                Ok(opened) => opened,
                Err(_elapsed) => Err(ClientError::Slow),
            };
            let error = match opened {
                Ok(stream) => match self.converse(&server, stream).await {
                    Ok(never) => match never {},
                    Err(Over::OwnerGone) => return Err(OwnerGone),
                    Err(Over::Failed(error)) => error,
                },
                Err(error) => error,
            };
            self.session.handle_disconnected();
            let retry_after = match error {
                ClientError::Session(SessionError::RetryAfter(after)) => Some(after),
                _ => None,
            };
            let ended = Ended { held: self.now().saturating_sub(began), retry_after };
            self.note_failure(&server, error);
            let wait = schedule.next(self.now(), ended, random());
            self.meanwhile(sleep(wait)).await?;
        }
    }

    /// Speaks with a server until one of both can't go on.
    async fn converse(&mut self, server: &Server, mut stream: Stream) -> Result<Infallible, Over> {
        self.session.handle_connected(self.now());
        self.note_connected(server);
        loop {
            let now = self.now();
            self.session.handle_timeout(now)?;
            self.say(now, &stream)?;
            let due = self.session.poll_timeout(now).map_or(self.start + OPENING, |due| self.start + due);
            tokio::select! {
                frame = stream.incoming.frame() => {
                    let frame = frame.ok_or(ClientError::Closed)?.map_err(ClientError::Http)?;
                    if let Some(bytes) = frame.data_ref() {
                        self.hear(bytes)?;
                    }
                }
                exchanged = self.exchange() => exchanged?,
                room = stream.outgoing.reserve(), if stream.outgoing.capacity() == 0 => {
                    room.map_err(|_closed| ClientError::Closed)?;
                }
                () = sleep_until(due) => {}
            }
        }
    }

    /// Says what there is room for.
    fn say(&mut self, now: Duration, stream: &Stream) -> Result<(), ClientError> {
        loop {
            let room = match stream.outgoing.try_reserve() {
                Ok(room) => room,
                Err(TrySendError::Full(())) => return Ok(()),
                Err(TrySendError::Closed(())) => return Err(ClientError::Closed),
            };
            let Some(line) = self.session.poll_transmit(now, &lock(&self.held)) else { return Ok(()) };
            self.count(|state| &mut state.sent, line.len());
            room.send(line.into());
        }
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        self.count(|state| &mut state.received, bytes.len());
        let now = self.now();
        self.session.handle_bytes(now, bytes, &lock(&self.held))
    }

    /// Does something that needs no stream, without letting the owner wait.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, OwnerGone> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                exchanged = self.exchange() => exchanged?,
            }
        }
    }

    /// Gives the owner the next event, or takes an order from it, whichever can be first.
    ///
    /// # Cancel safety
    /// Nothing is lost: an event leaves the session once there is room for it.
    async fn exchange(&mut self) -> Result<(), OwnerGone> {
        let order = tokio::select! {
            room = self.events.reserve(), if self.session.has_event() => {
                let room = room.map_err(|_closed| OwnerGone)?;
                if let Some(event) = self.session.poll_event() {
                    room.send(event);
                }
                return Ok(());
            }
            order = self.orders.recv() => order.ok_or(OwnerGone)?,
        };
        self.obey(order);
        Ok(())
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Answer(refused, done) => {
                self.session.handle_answer(refused, &mut lock(&self.held));
                self.state.send_modify(|state| state.last_update = Some(Instant::now().into_std()));
                let _nobody_waits = done.send(());
            }
            Order::Removed(removed, done) => {
                self.session.handle_removed(&removed, &mut lock(&self.held));
                let _nobody_waits = done.send(());
            }
            Order::Status(status) => self.session.handle_status(status),
        }
    }

    fn note_connected(&self, server: &Server) {
        let since = Instant::now().into_std();
        let connected = Connected { server: server.authority.clone(), since };
        self.state.send_modify(|state| state.connected = Some(connected));
    }

    fn note_failure(&self, server: &Server, error: ClientError) {
        let failure = Failure {
            server: server.authority.clone(),
            at: Instant::now().into_std(),
            error: Arc::new(error),
        };
        self.state.send_modify(|state| {
            state.connected = None;
            state.failures += 1;
            state.last_failure = Some(failure);
        });
    }

    /// Counts bytes, without waking who waits for a change.
    fn count(&self, of: impl Fn(&mut State) -> &mut u64, bytes: usize) {
        self.state.send_if_modified(|state| {
            *of(state) += bytes as u64;
            false
        });
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A panic elsewhere leaves what is held as it was: it changes in one call that doesn't panic.
fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without entropy the wait is the longest.
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => u32::from_ne_bytes(bytes),
        Err(_unspecified) => u32::MAX,
    }
}
