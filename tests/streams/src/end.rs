//! The story of one end of a connection: it sends its stream and checks the other one until both have ended.

use std::future::pending;
use std::time::Duration;

use tokio::io::Interest;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use crate::board::{Board, Stand};
use crate::checker::Checker;
use crate::header::Header;
use crate::link::Link;
use crate::plan::{Ending, Hold, PACE, Plan, Reading};
use crate::record::Record;
use crate::rng::Rng;
use crate::seen::Seen;
use crate::stream::HEADER;

/// Writes are at most 2^16 bytes.
const LARGEST_WRITE: u32 = 16;
/// How many writes there are in one turn at most.
const BURST: usize = 16;
/// How long a sender that means to cut a stream waits for a gateway that takes no more of it.
const STUCK: Duration = Duration::from_millis(300);
/// How often an end has its turn that is paced or reads slowly.
const TURN: Duration = Duration::from_millis(100);
/// How much it sends in each; it reads four times as much.
const PIECE: u64 = PACE / 10;

/// What the ends of a run share.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) board: &'a Board,
    /// How long nothing may happen.
    pub(crate) patience: Duration,
}

/// One end of a connection.
pub(crate) struct End<'a> {
    link: Link,
    /// Of the stream that it sends.
    header: Header,
    plan: Plan,
    checker: Checker,
    terms: Terms<'a>,
    rng: Rng,
    position: u64,
    sending: Sending,
    /// Whether it reads yet, or still.
    reading: bool,
    came: Vec<u8>,
    next: Vec<u8>,
    began: Instant,
    progress: Instant,
    acknowledged: u64,
    silent: bool,
}

/// How far an end is with its own stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Stream,
    /// All is sent that will be; it may want to know that it was acknowledged.
    Settling,
    /// The ending is queued, and a FIN follows.
    Fin,
    /// It waits for what others do.
    Standing,
    /// It has ended.
    Over,
    /// It has left by RST.
    Gone,
}

impl<'a> End<'a> {
    pub(crate) fn new(link: Link, header: Header, checker: Checker, terms: Terms<'a>) -> Self {
        let plan = header.plans.of(header.label.way);
        Self {
            link,
            header,
            plan,
            checker,
            terms,
            rng: Rng::new(header.label.seed()),
            position: 0,
            sending: Sending::Stream,
            reading: plan.reading != Reading::AfterOtherLeft,
            came: Vec::new(),
            next: Vec::new(),
            began: Instant::now(),
            progress: Instant::now(),
            acknowledged: 0,
            silent: false,
        }
    }

    /// Runs until both streams have ended, for this end.
    pub(crate) async fn run(mut self) -> Record {
        loop {
            self.read();
            self.write().await;
            if self.is_over() {
                return self.record();
            }
            if self.rng.one_in(8) {
                yield_now().await;
            }
            self.wait().await;
        }
    }

    fn read(&mut self) {
        let allowed = self.may_read();
        if allowed == 0 || self.rng.one_in(8) {
            return;
        }
        let most = if self.rng.one_in(4) { self.rng.any_size(LARGEST_WRITE) } else { u64::MAX };
        let most = most.min(allowed);
        self.came.clear();
        self.link.pull(&mut self.came, usize::try_from(most).unwrap_or(usize::MAX));
        if !self.came.is_empty() {
            self.checker.take(&self.came);
            self.progress = Instant::now();
        }
    }

    async fn write(&mut self) {
        for _ in 0..BURST {
            let before = self.link.handed();
            let flushed = self.link.flush();
            if self.link.handed() > before {
                self.progress = Instant::now();
            }
            if self.link.is_broken() {
                // What it was to send, nobody takes.
                self.acknowledged = self.link.acknowledged();
                return;
            }
            let stuck = self.is_stuck();
            if !flushed && !stuck {
                return;
            }
            match self.sending {
                Sending::Stream if stuck => self.settle(),
                Sending::Stream => {
                    let limit = self.limit();
                    if self.position < limit {
                        self.push(limit);
                    } else if limit == self.plan.stop {
                        self.settle();
                    } else {
                        return;
                    }
                }
                Sending::Settling => {
                    self.acknowledged = self.link.acknowledged();
                    if self.acknowledged < self.link.handed() && !stuck && self.settles() {
                        yield_now().await;
                        return;
                    }
                    self.end();
                }
                Sending::Fin => {
                    self.link.fin().await;
                    self.sending = Sending::Over;
                    self.terms.board.leave(self.header.label.connection);
                }
                Sending::Standing | Sending::Over | Sending::Gone => return,
            }
        }
    }

    /// Where its stream goes on until, for now.
    fn limit(&self) -> u64 {
        let other_ended = self.link.end().is_some_and(Seen::is_clean);
        match self.plan.hold {
            Hold::UntilOtherEnded if !other_ended => self.plan.stop.min(self.plan.length / 2).max(HEADER),
            Hold::Paced => self.plan.stop.min(HEADER + PIECE * self.turns()),
            Hold::UntilOtherEnded | Hold::Never => self.plan.stop,
        }
    }

    /// How many bytes it may take from its socket, for now.
    fn may_read(&self) -> u64 {
        match self.plan.reading {
            _ if !self.reading => 0,
            Reading::Slowly => (4 * PIECE * self.turns()).saturating_sub(self.checker.total()),
            _ => u64::MAX,
        }
    }

    /// How many turns it has had, if it takes turns, with the one that it has.
    fn turns(&self) -> u64 {
        let turns = self.began.elapsed().as_millis() / TURN.as_millis();
        u64::try_from(turns).unwrap_or(u64::MAX - 1) + 1
    }

    fn takes_turns(&self) -> bool {
        self.plan.hold == Hold::Paced || self.plan.reading == Reading::Slowly
    }

    fn push(&mut self, limit: u64) {
        if self.position < HEADER {
            self.link.push(&self.header.bytes());
            self.position = HEADER;
            return;
        }
        let count = self.rng.any_size(LARGEST_WRITE).min(limit - self.position);
        self.next.clear();
        self.header.label.fill(self.position, &mut self.next, count);
        self.link.push(&self.next);
        self.position += count;
    }

    fn settle(&mut self) {
        self.sending = Sending::Settling;
        self.progress = Instant::now();
    }

    /// Whether it ends its stream only when all of it was acknowledged; half of the cuts come in mid-flight.
    fn settles(&self) -> bool {
        self.plan.cuts() && (self.makes_a_queue() || self.header.label.seed() & 1 == 0)
    }

    /// Whether the other end reads nothing until this one has ended.
    fn makes_a_queue(&self) -> bool {
        self.header.plans.of(self.header.label.way.opposite()).reading == Reading::AfterOtherLeft
    }

    /// Whether the gateway takes no more of a stream that is to be cut anyway.
    fn is_stuck(&self) -> bool {
        let waits = match self.sending {
            Sending::Stream => self.makes_a_queue() && self.limit() == self.plan.stop,
            Sending::Settling => true,
            _ => false,
        };
        waits && self.progress.elapsed() >= STUCK
    }

    fn end(&mut self) {
        self.sending = Sending::Fin;
        match self.plan.ending {
            Ending::Clean => self.link.push_close_notify(),
            Ending::BareFin => self.link.forget_queued(),
            Ending::Alert => self.link.push_alert(),
            Ending::CutRecord => {
                self.next.clear();
                self.header.label.fill(self.position, &mut self.next, 1000);
                self.link.push_cut(&self.next);
            }
            Ending::Reset => {
                self.link.arm_reset();
                self.sending = Sending::Gone;
            }
            Ending::Killed | Ending::Silent => self.sending = Sending::Standing,
        }
        if self.plan.reading == Reading::UntilStop {
            self.reading = false;
        }
        if self.sending == Sending::Standing && self.reading {
            self.stand();
        }
    }

    fn stand(&mut self) {
        let acknowledged = self.link.acknowledged();
        self.terms.board.stand(Stand { connection: self.header.label.connection, acknowledged });
    }

    fn is_over(&self) -> bool {
        let sent = matches!(self.sending, Sending::Over | Sending::Standing) || self.link.is_broken();
        let hopeless = matches!(self.link.end(), Some(Seen::Reset | Seen::Broken | Seen::Alert(_)));
        self.sending == Sending::Gone || self.silent || hopeless || (sent && self.link.end().is_some())
    }

    /// Waits until there is something to do, or nothing has happened for too long.
    async fn wait(&mut self) {
        let reads = self.may_read() > 0 && self.link.end().is_none();
        let limit = self.limit();
        let writes = match self.sending {
            Sending::Stream => self.position < limit || limit == self.plan.stop || self.link.has_queued(),
            Sending::Settling | Sending::Fin => true,
            Sending::Standing | Sending::Over | Sending::Gone => self.link.has_queued(),
        } && !self.link.is_broken();
        let late = self.reading || self.plan.reading != Reading::AfterOtherLeft;
        let unread = self.sending == Sending::Standing && self.plan.reading == Reading::UntilStop;
        let patience = self.progress + self.terms.patience;
        let wake =
            if self.makes_a_queue() && writes { patience.min(self.progress + STUCK) } else { patience };
        let wake = if self.takes_turns() { wake.min(Instant::now() + TURN) } else { wake };
        let interest = match (reads, writes) {
            (true, true) => Interest::READABLE.add(Interest::WRITABLE),
            (_, true) => Interest::WRITABLE,
            _ => Interest::READABLE,
        };
        let mut killable = false;
        let something = async {
            tokio::select! {
                () = self.link.ready(interest), if reads || writes => {}
                () = self.link.unread(), if unread => killable = true,
                () = self.terms.board.left(self.header.label.connection), if !late => self.reading = true,
                else => pending().await,
            }
        };
        if timeout_at(wake, something).await.is_err() {
            self.silent = self.progress + self.terms.patience <= Instant::now();
        }
        if killable {
            self.stand();
            // Killed from here on, or everything has gone wrong.
            let killed = timeout_at(patience, pending::<()>()).await;
            self.silent = killed.is_err();
        }
    }

    fn record(mut self) -> Record {
        if self.acknowledged == 0 || self.sending != Sending::Gone {
            self.acknowledged = self.acknowledged.max(self.link.acknowledged());
        }
        let saw = match self.link.end() {
            Some(end) => end.clone(),
            None if self.sending == Sending::Gone => Seen::Left,
            None => Seen::Silence,
        };
        let record = Record {
            label: self.header.label,
            plans: self.header.plans,
            acknowledged: self.acknowledged,
            ended: !matches!(self.sending, Sending::Stream | Sending::Settling),
            received: self.checker.prefix(),
            fault: self.checker.fault(),
            saw,
        };
        let gone = self.sending == Sending::Gone;
        // A reset is the close of the socket, and only then has this end left.
        drop(self.link);
        if gone {
            self.terms.board.leave(self.header.label.connection);
        }
        record
    }
}
