//! What is still to be said to the server, and when. It is made into lines only when they can be sent, so that a server
//! which doesn't listen fills no memory.

use std::time::Duration;

use super::bounded;
use crate::held::Held;
use crate::wire::{
    Ack, Digest, ENDPOINT_DELTA, HEARTBEAT, Heartbeat, Hello, Nack, Node, PROTOCOL, Refused, RefusedUpdate,
    Status, ToServer, Want,
};

/// What is to be said on one stream.
#[derive(Debug)]
pub(super) struct Say {
    greeted: bool,
    digests_wanted: bool,
    digests_said: bool,
    answer: Option<ToServer>,
    status: Option<Status>,
    status_said: Option<Duration>,
    said: Duration,
}

/// How often a status is said at most.
const STATUS: Duration = Duration::from_secs(5);
/// How many services a status tells of at most; the rest follows in the next.
const STATUS_ENDPOINTS: usize = 5000;
/// Bytes of refusals that a nack has at most. Each may be written in six, as \u0000, and a line has 4 MiB.
const REFUSALS: usize = 512 * 1024;

impl Say {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            greeted: false,
            digests_wanted: false,
            digests_said: false,
            answer: None,
            status: None,
            status_said: None,
            said: now,
        }
    }

    /// Whether `hello` was said.
    pub(super) fn greeted(&self) -> bool {
        self.greeted
    }

    /// Whether the server can't know yet how the last update ended.
    pub(super) fn owes_answer(&self) -> bool {
        self.answer.is_some()
    }

    /// Whether the update that just ended is the first since the digests were said, and so is all that differed.
    pub(super) fn compared(&mut self) -> bool {
        std::mem::take(&mut self.digests_said)
    }

    pub(super) fn wanted(&mut self, want: Want) {
        match want {
            Want::Digests => self.digests_wanted = true,
        }
    }

    pub(super) fn answer(&mut self, nonce: String, digest: Digest, refused: Vec<Refused>) {
        if refused.is_empty() {
            self.answer = Some(ToServer::Ack(Ack { nonce, digest }));
            return;
        }
        let count = refused.len();
        let mut bytes = 0;
        let told: Vec<Refused> = refused
            .into_iter()
            .map(|refused| Refused {
                field: bounded(refused.field, 256),
                code: bounded(refused.code, 64),
                text: bounded(refused.text, 1024),
                ..refused
            })
            .take_while(|refused| {
                let texts = refused.field.len() + refused.code.len() + refused.text.len();
                bytes += refused.name.as_str().len() + texts + 128;
                bytes <= REFUSALS
            })
            .collect();
        let more = u64::try_from(count - told.len()).unwrap_or(u64::MAX);
        self.answer = Some(ToServer::Nack(Nack { nonce, digest, refused: told, more, update: None }));
    }

    pub(super) fn refusal(&mut self, nonce: String, digest: Digest, update: RefusedUpdate) {
        let nack = Nack { nonce, digest, refused: Vec::new(), more: 0, update: Some(update) };
        self.answer = Some(ToServer::Nack(nack));
    }

    pub(super) fn status(&mut self, newer: Status) {
        let mut endpoints = self.status.take().map(|status| status.endpoints).unwrap_or_default();
        let Status { draining, active, digest, endpoints: changed } = newer;
        endpoints.extend(changed);
        self.status = Some(Status { draining, active, digest, endpoints });
    }

    /// When something is to be said that isn't yet.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let status = self.status.as_ref().map(|_| self.status_due());
        let heartbeat = self.said + HEARTBEAT;
        self.greeted.then(|| status.map_or(heartbeat, |status| status.min(heartbeat)))
    }

    /// The next line; `node` is absent while what is held isn't certain, so that `hello` must wait.
    pub(super) fn next_line(&mut self, now: Duration, held: &Held, node: Option<&Node>) -> Option<Vec<u8>> {
        let message = if self.greeted { self.next_message(now, held)? } else { self.hello(held, node?) };
        self.said = now;
        Some(message.to_line())
    }

    fn hello(&mut self, held: &Held, node: &Node) -> ToServer {
        self.greeted = true;
        let position = held.position();
        ToServer::Hello(Hello {
            protocol: PROTOCOL,
            features: vec![ENDPOINT_DELTA.to_owned()],
            node: node.clone(),
            epoch: position.map(|position| position.epoch.clone()),
            seq: position.filter(|position| position.whole).map(|position| position.seq),
        })
    }

    fn next_message(&mut self, now: Duration, held: &Held) -> Option<ToServer> {
        if let Some(answer) = self.answer.take() {
            return Some(answer);
        }
        if std::mem::take(&mut self.digests_wanted) {
            self.digests_said = true;
            return Some(ToServer::Digests(held.digests()));
        }
        if now >= self.status_due()
            && let Some(mut status) = self.status.take()
        {
            self.status_said = Some(now);
            let first_left = status.endpoints.keys().nth(STATUS_ENDPOINTS).cloned();
            if let Some(first_left) = first_left {
                let endpoints = status.endpoints.split_off(&first_left);
                self.status = Some(Status { endpoints, ..status });
            }
            status.digest = held.digest();
            return Some(ToServer::Status(status));
        }
        (now >= self.said + HEARTBEAT).then_some(ToServer::Heartbeat(Heartbeat {}))
    }

    fn status_due(&self) -> Duration {
        self.status_said.map_or(Duration::ZERO, |said| said + STATUS)
    }
}
