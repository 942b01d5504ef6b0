//! A gateway's side of the stream as a state machine: no I/O, no clock, no tasks.
//!
//! Bytes and times go in by `handle_*`, lines and events come out by `poll_*`. A [`Session`] outlives its streams: an
//! update that was complete is in force, or not, whatever becomes of the stream that it came by. What is held stays with
//! the caller, who lends it ([`Held`]), and changes in [`Session::handle_answer`] alone.
//!
//! Times are counted from any one instant on, and don't fall.

mod collect;
mod delta;
mod say;
mod update;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use self::update::{RemovedResource, SetResource, Update};

use self::collect::Collecting;
use self::say::Say;
use crate::held::{Held, Position};
use crate::wire::{
    Begin, End, Farewell, HEARTBEAT, Kind, LineError, Lines, Node, PROTOCOL, Refused, RefusedUpdate,
    Restates, Status, ToClient, Welcome,
};

/// The codes of refusals that come from here; docs/xds-lite.md lists all.
pub mod code {
    /// A resource that can't be read.
    pub const INVALID: &str = "invalid";
    /// A version that isn't the hash of its spec.
    pub const VERSION_MISMATCH: &str = "version_mismatch";
    /// A change of what isn't held, or with another result than it says.
    pub const BASE_MISMATCH: &str = "base_mismatch";
    /// An update of the past.
    pub const STALE: &str = "stale";
    /// An update that takes more memory than is allowed.
    pub const TOO_LARGE: &str = "too_large";
}

/// How large an update may be while it comes in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of names and specs that aren't held already, and 128 for each resource.
    pub update_bytes: usize,
    /// Resources.
    pub update_resources: usize,
}

impl Default for Limits {
    /// 256 MiB and a million.
    fn default() -> Self {
        Self { update_bytes: 256 * 1024 * 1024, update_resources: 1_000_000 }
    }
}

/// Silence of the server after which the stream is given up: three heartbeats that were missed.
pub const SILENCE: Duration = HEARTBEAT.saturating_mul(3);

/// What the owner hears of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server answered, and says how it is called. It knows nothing of this gateway's status yet.
    Welcome(Welcome),
    /// An update is complete. Nothing more comes before [`Session::handle_answer`] says what of it is in force.
    Update(Arc<Update>),
    /// An update was refused as a whole, and the server told so.
    Refused(RefusedUpdate),
}

/// Why a stream can't go on. Nothing of an update that it left unfinished is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A line that can't be read.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The server speaks another language.
    #[error(
        "expected version {PROTOCOL} of the protocol, and the server speaks {0}; use a server of the same version"
    )]
    Protocol(u32),
    /// Something out of order.
    #[error("{0} is out of order; the server breaks the protocol, see its log")]
    Unexpected(&'static str),
    /// The server said nothing for [`SILENCE`].
    #[error("the server said nothing for {} seconds", SILENCE.as_secs())]
    Silent,
    /// The server is about to go: come back after that, or go to another at once.
    #[error("the server is about to go, and asks to come back in {} ms", .0.as_millis())]
    RetryAfter(Duration),
    /// The server ends the stream.
    #[error("the server refuses: {} ({})", .0.text, .0.code)]
    Farewell(Farewell),
}

/// One gateway's side, from stream to stream.
#[derive(Debug)]
pub struct Session {
    node: Node,
    limits: Limits,
    stream: Option<Stream>,
    /// The update that the owner has, or is about to get.
    pending: Option<Pending>,
    events: VecDeque<Event>,
}

#[derive(Debug)]
struct Pending {
    update: Arc<Update>,
    /// Whether with it everything has been said that there is.
    complete: bool,
}

/// What ends with a stream.
#[derive(Debug)]
struct Stream {
    lines: Lines,
    phase: Phase,
    collecting: Option<Collecting>,
    /// The nonce of the update that waits for its answer.
    unanswered: Option<String>,
    heard: Duration,
    /// Bytes of a line that takes its time.
    unheard: usize,
    say: Say,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Greeting,
    Welcomed,
}

/// So much of an unfinished line is as good as a heartbeat; a line of 4 MiB may take minutes.
const PROGRESS: usize = 16 * 1024;
/// The longest epoch or nonce, in bytes.
const LONGEST_WORD: usize = 256;

impl Session {
    /// A gateway that has no stream yet.
    pub fn new(node: Node, limits: Limits) -> Self {
        Self { node, limits, stream: None, pending: None, events: VecDeque::new() }
    }

    /// A new stream is open. What was left of the last one is forgotten.
    pub fn handle_connected(&mut self, now: Duration) {
        self.handle_disconnected();
        self.stream = Some(Stream {
            lines: Lines::default(),
            phase: Phase::Greeting,
            collecting: None,
            unanswered: None,
            heard: now,
            unheard: 0,
            say: Say::new(now),
        });
    }

    /// The stream is no more.
    ///
    /// An update that was complete before still waits for its answer.
    pub fn handle_disconnected(&mut self) {
        self.stream = None;
        self.events.retain(|event| matches!(event, Event::Update(_)));
    }

    /// Bytes came from the server.
    ///
    /// # Errors
    /// The stream can't go on: it should be closed, and another opened later.
    pub fn handle_bytes(&mut self, now: Duration, bytes: &[u8], held: &Held) -> Result<(), SessionError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        stream.unheard += bytes.len();
        if stream.unheard >= PROGRESS {
            stream.heard = now;
            stream.unheard = 0;
        }
        let mut lines = std::mem::take(&mut stream.lines);
        let fed = lines.feed(bytes, |line| self.handle_line(now, line, held));
        if let Some(stream) = &mut self.stream {
            stream.lines = lines;
        }
        fed
    }

    /// The owner says what of the update is in force: all of it, but for what it refuses.
    ///
    /// `held` is what is in force from here on. A refusal of what wasn't in the update is told to the server, and changes
    /// nothing here.
    pub fn handle_answer(&mut self, refused: Vec<Refused>, held: &mut Held) {
        let Some(Pending { update, complete }) = self.pending.take() else { return };
        let names: BTreeSet<(Kind, &str)> =
            refused.iter().map(|refused| (refused.kind, refused.name.as_str())).collect();
        for set in &update.set {
            if !names.contains(&(set.kind, set.name.as_str())) {
                held.put(set.kind, set.name.clone(), set.version, Arc::clone(&set.spec));
            }
        }
        for removed in &update.removed {
            if !names.contains(&(removed.kind, removed.name.as_str())) {
                held.take(removed.kind, removed.name.as_str());
            }
        }
        let all: Vec<Refused> = update.refused.iter().cloned().chain(refused).collect();
        // What was refused once is lacking until everything is said anew.
        let lacked = held.position().is_some_and(|position| !position.whole) && !complete;
        let whole = all.is_empty() && !lacked;
        held.advance(Position { epoch: update.epoch.clone(), seq: update.seq, whole });
        if let Some(stream) = &mut self.stream
            && let Some(nonce) = stream.unanswered.take()
        {
            stream.say.answer(nonce, held.digest(), all);
        }
    }

    /// The owner has removed after all what it had refused to remove.
    pub fn handle_removed(&mut self, removed: &[RemovedResource], held: &mut Held) {
        for RemovedResource { kind, name } in removed {
            held.take(*kind, name.as_str());
        }
    }

    /// How the gateway is. It is said at most every 5 s; of what wasn't said yet the newest is kept.
    ///
    /// Its digest is filled in here.
    pub fn handle_status(&mut self, status: Status) {
        if let Some(stream) = &mut self.stream {
            stream.say.status(status);
        }
    }

    /// Time has passed.
    ///
    /// # Errors
    /// The server said nothing for too long.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), SessionError> {
        let silent = self.stream.as_ref().is_some_and(|stream| now >= stream.heard + SILENCE);
        if silent { Err(SessionError::Silent) } else { Ok(()) }
    }

    /// When [`Session::handle_timeout`] and [`Session::poll_transmit`] have something to do, if nothing happens before.
    pub fn poll_timeout(&self, now: Duration) -> Option<Duration> {
        let stream = self.stream.as_ref()?;
        let say = stream.say.next_due().filter(|due| *due > now);
        Some(say.map_or(stream.heard + SILENCE, |due| due.min(stream.heard + SILENCE)))
    }

    /// The next line for the server, with its newline.
    pub fn poll_transmit(&mut self, now: Duration, held: &Held) -> Option<Vec<u8>> {
        let stream = self.stream.as_mut()?;
        // What it holds is certain only once the owner has answered what came by the last stream.
        let settled = self.pending.is_none();
        stream.say.next_line(now, held, settled.then_some(&self.node))
    }

    /// Whether [`Session::poll_event`] has one.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next event for the owner.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn handle_line(&mut self, now: Duration, line: &[u8], held: &Held) -> Result<(), SessionError> {
        let Some(stream) = self.stream.as_mut() else { return Ok(()) };
        stream.heard = now;
        stream.unheard = 0;
        let message = match ToClient::read(line) {
            Ok(message) => message,
            Err(LineError::Resource { kind, name, expected }) => {
                let update = stream.collecting.as_mut();
                update.ok_or(OUTSIDE)?.unreadable(kind, name, expected, &self.limits);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        match message {
            None | Some(ToClient::Heartbeat(_)) => Ok(()),
            Some(ToClient::RetryAfter(retry_after)) => {
                Err(SessionError::RetryAfter(Duration::from_millis(retry_after.milliseconds)))
            }
            Some(ToClient::Error(Farewell { code, text })) => {
                let (code, text) = (bounded(code, 64), bounded(text, 1024));
                Err(SessionError::Farewell(Farewell { code, text }))
            }
            Some(ToClient::Welcome(welcome)) => self.handle_welcome(welcome),
            Some(_) if stream.phase == Phase::Greeting => {
                Err(SessionError::Unexpected("a message before `welcome`"))
            }
            Some(ToClient::Want(want)) => {
                stream.say.wanted(want);
                Ok(())
            }
            Some(ToClient::Update(begin)) => self.handle_begin(begin, held),
            Some(ToClient::Resource(resource)) => {
                let update = stream.collecting.as_mut();
                update.ok_or(OUTSIDE)?.resource(resource, held, &self.limits);
                Ok(())
            }
            Some(ToClient::End(end)) => self.handle_end(&end, held),
        }
    }

    fn handle_welcome(&mut self, welcome: Welcome) -> Result<(), SessionError> {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.phase == Phase::Greeting) else {
            return Err(SessionError::Unexpected("a second `welcome`"));
        };
        if !stream.say.greeted() {
            return Err(SessionError::Unexpected("`welcome` before `hello`"));
        }
        if welcome.protocol != PROTOCOL {
            return Err(SessionError::Protocol(welcome.protocol));
        }
        stream.phase = Phase::Welcomed;
        let Welcome { protocol, mut features, server } = welcome;
        features.truncate(16);
        let features = features.into_iter().map(|feature| bounded(feature, 64)).collect();
        self.events.push_back(Event::Welcome(Welcome { protocol, features, server: bounded(server, 256) }));
        Ok(())
    }

    fn handle_begin(&mut self, begin: Begin, held: &Held) -> Result<(), SessionError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if stream.collecting.is_some() {
            return Err(SessionError::Unexpected("`update` inside an update"));
        }
        if self.pending.is_some() || stream.say.owes_answer() {
            return Err(SessionError::Unexpected("`update` before the last one was answered"));
        }
        if begin.epoch.is_empty() || begin.epoch.len().max(begin.nonce.len()) > LONGEST_WORD {
            return Err(SessionError::Unexpected(
                "an epoch that is empty, or an epoch or nonce above 256 bytes",
            ));
        }
        let begin = Begin { sent_at: bounded(begin.sent_at, 64), ..begin };
        stream.collecting = Some(Collecting::new(begin, held));
        Ok(())
    }

    fn handle_end(&mut self, end: &End, held: &Held) -> Result<(), SessionError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let Some(update) = stream.collecting.take().filter(|update| update.nonce() == end.nonce) else {
            return Err(SessionError::Unexpected("an `end` that ends no update"));
        };
        match update.finish(held) {
            Ok((update, restates)) => {
                let update = Arc::new(update);
                let compared = stream.say.compared();
                let complete = match restates {
                    Restates::Nothing => false,
                    Restates::All => true,
                    Restates::Buckets(_) => compared,
                };
                stream.unanswered = Some(end.nonce.clone());
                self.pending = Some(Pending { update: Arc::clone(&update), complete });
                self.events.push_back(Event::Update(update));
            }
            Err(refused) => {
                stream.say.refusal(end.nonce.clone(), held.digest(), refused.clone());
                // A server that tries again and again fills no memory.
                self.events.retain(|event| !matches!(event, Event::Refused(_)));
                self.events.push_back(Event::Refused(refused));
            }
        }
        Ok(())
    }
}

const OUTSIDE: SessionError = SessionError::Unexpected("a resource outside of an update");

/// At most so many bytes of a text.
fn bounded(mut text: String, bytes: usize) -> String {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}
