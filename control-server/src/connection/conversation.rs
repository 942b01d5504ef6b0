//! The two bodies of a stream, and the session between them.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use landbridge_control_client::wire::{Farewell, HEARTBEAT, LineError, Lines, ToServer};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{Going, gone};
use crate::roster::Record;
use crate::session::Session;

/// Who said nothing for so many heartbeats is gone.
const MISSED: u32 = 3;

/// A stream that goes on.
pub(super) struct Conversation {
    body: Incoming,
    chunks: mpsc::Sender<Bytes>,
    lines: Lines,
    session: Session,
    record: Arc<Record>,
    heard: Instant,
    said: Instant,
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The gateway closed it, or lost it.
    Left,
    /// It was silent for too long.
    Silent,
    /// It said what it shouldn't.
    Wrong,
    /// The server goes.
    Going,
}

impl Ended {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Silent => "silent",
            Self::Wrong => "protocol",
            Self::Going => "going",
        }
    }
}

/// What was wrong with what came.
enum Wrong {
    Line(LineError),
    Said(Farewell),
}

impl From<LineError> for Wrong {
    fn from(error: LineError) -> Self {
        Self::Line(error)
    }
}

impl Conversation {
    pub(super) fn new(
        body: Incoming,
        chunks: mpsc::Sender<Bytes>,
        session: Session,
        record: Arc<Record>,
    ) -> Self {
        let now = Instant::now();
        Self { body, chunks, lines: Lines::default(), session, record, heard: now, said: now }
    }

    /// Goes on until it ends.
    pub(super) async fn run(
        mut self,
        mut news: watch::Receiver<u64>,
        mut going: watch::Receiver<Going>,
    ) -> Ended {
        let chunks = self.chunks.clone();
        loop {
            tokio::select! {
                biased;
                spread = gone(&mut going) => {
                    self.session.retry_after(some_of(spread));
                    self.flush().await;
                    return Ended::Going;
                }
                frame = self.body.frame() => {
                    let Some(Ok(frame)) = frame else { return Ended::Left };
                    let Ok(bytes) = frame.into_data() else { continue };
                    self.heard = Instant::now();
                    self.record.received(bytes.len());
                    if let Err(farewell) = self.hear(&bytes) {
                        tracing::warn!(code = farewell.code, text = farewell.text, "a gateway's stream is not in order");
                        self.session.farewell(farewell);
                        self.flush().await;
                        return Ended::Wrong;
                    }
                }
                permit = chunks.reserve(), if self.session.has_next() => {
                    let Ok(permit) = permit else { return Ended::Left };
                    if let Some(chunk) = self.session.next() {
                        self.said = Instant::now();
                        self.record.sent(chunk.len());
                        permit.send(chunk);
                    }
                }
                Ok(()) = news.changed() => {
                    news.mark_unchanged();
                    self.session.changed();
                }
                () = chunks.closed() => return Ended::Left,
                () = sleep_until(self.heard + HEARTBEAT * MISSED) => return Ended::Silent,
                () = sleep_until(self.said + HEARTBEAT), if !self.session.has_next() => {
                    self.session.heartbeat();
                }
            }
        }
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), Farewell> {
        let session = &mut self.session;
        let heard = self.lines.feed(bytes, |line| match ToServer::read(line)? {
            Some(message) => session.hear(message).map_err(Wrong::Said),
            None => Ok(()),
        });
        heard.map_err(|wrong| match wrong {
            Wrong::Said(farewell) => farewell,
            Wrong::Line(error) => Farewell { code: "protocol".to_owned(), text: error.to_string() },
        })
    }

    /// Sends the last words; a gateway that doesn't read them now never hears them.
    async fn flush(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let chunks = self.chunks.clone();
        while let Some(chunk) = self.session.next() {
            self.record.sent(chunk.len());
            if chunks.send_timeout(chunk, PATIENCE).await.is_err() {
                return;
            }
        }
    }
}

/// A random part of a time, in milliseconds, so that not all come back at once.
fn some_of(spread: Duration) -> u64 {
    let most = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
    RandomState::new().hash_one(()) % most.saturating_add(1).max(1)
}
