//! The access log: one line per connection, written by a thread of its own.
//!
//! A connection's thread formats the line, appends it to a bounded buffer and goes on. The writer swaps
//! that buffer for an empty one and writes all of it at once. So a log that is slow, stuck or broken costs
//! lines, which are counted, and never a connection. A flood of refusals costs one line per reason and
//! second.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use landbridge::Observer;
use landbridge::config::{AccessTarget, LogConfig, Node};
use landbridge_core::access_log::{Format, Place, Suppressed};
use landbridge_core::{Outcome, Reason};

use crate::lines::{LAST_LINES, Queue, Target, lock};
use flood::Flood;

mod flood;
mod writer;

#[cfg(test)]
mod tests;

/// The access log of this process.
pub(crate) struct AccessLog {
    /// Absent where there is none.
    shared: Option<Arc<Shared>>,
}

/// Bytes that may wait; at 1.4 kB a line, some 3,000 lines.
const CAPACITY: usize = 4 * 1024 * 1024;
/// How long the first line of a batch waits for company.
const LINGER: Duration = Duration::from_millis(10);
/// What a line has at most in the ordinary, so that its buffer grows once.
const LINE: usize = 2048;

/// What connections, writer and owner share.
struct Shared {
    format: Format,
    place: Place,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    queue: Queue,
    flood: Mutex<Flood>,
    dropped: AtomicU64,
    suppressed: AtomicU64,
}

impl AccessLog {
    /// Opens the access log as configured.
    ///
    /// # Errors
    /// The file can't be opened, or the writer's thread can't be started.
    pub(crate) fn open(config: &LogConfig, node: &Node) -> anyhow::Result<Self> {
        let target = match &config.access {
            AccessTarget::Off => return Ok(Self { shared: None }),
            AccessTarget::Stdout => Target::stdout()?,
            AccessTarget::Stderr => Target::stderr()?,
            AccessTarget::File(path) => {
                Target::file(path).with_context(|| format!("cannot open {}", path.display()))?
            }
        };
        let place = Place {
            node_id: node.id.clone().unwrap_or_default(),
            cluster: node.cluster.clone(),
            network: node.network.clone(),
        };
        Ok(Self::start(target, config.access_format, place, SystemTime::now)?)
    }

    fn start(
        target: Target,
        format: Format,
        place: Place,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            format,
            place,
            clock: Box::new(clock),
            queue: Queue::new(CAPACITY, LINGER),
            flood: Mutex::default(),
            dropped: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        });
        let log = Self { shared: Some(shared.clone()) };
        thread::Builder::new().name("access-log".to_owned()).spawn(move || writer::run(&shared, target))?;
        Ok(log)
    }

    /// Opens the file anew, as after its rotation; what ended before goes to the old one.
    ///
    /// Returns at once. Where the file can't be opened, the old one stays in use, with a warning.
    pub(crate) fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.queue.reopen();
        }
    }

    /// Ends the log once its last lines are written or lost, or after two seconds.
    ///
    /// It blocks the thread. A connection that ends later is counted as dropped.
    pub(crate) fn close(&self) {
        if !self.close_within(LAST_LINES) {
            tracing::warn!("the access log takes nothing; its last lines are lost");
        }
        let (dropped, suppressed) = (self.dropped(), self.suppressed());
        tracing::debug!(dropped, suppressed, "access log closed");
    }

    /// False if the time was too short.
    fn close_within(&self, time: Duration) -> bool {
        self.shared.as_ref().is_none_or(|shared| {
            shared.end_flood();
            shared.queue.close(time)
        })
    }

    /// How many lines were lost: the buffer was full, or the target did not take them.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.dropped.load(Ordering::Relaxed))
    }

    /// How many refusals got no line of their own, because there were too many in one second.
    pub(crate) fn suppressed(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.suppressed.load(Ordering::Relaxed))
    }
}

impl Observer for AccessLog {
    fn connection(&self, outcome: &Outcome) {
        if let Some(shared) = &self.shared {
            shared.log(outcome);
        }
    }
}

impl Shared {
    fn log(&self, outcome: &Outcome) {
        if outcome.reason == Reason::Probe || (outcome.refused() && !self.admit(outcome.reason)) {
            return;
        }
        let mut line = String::with_capacity(LINE);
        self.format.write(&self.place, outcome, &mut line);
        self.push(&line);
    }

    /// Whether this refusal gets a line of its own.
    fn admit(&self, reason: Reason) -> bool {
        let mut flood = lock(&self.flood);
        self.push_suppressed(flood.turn((self.clock)()));
        let admitted = flood.admit(reason);
        if !admitted {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Logs what was suppressed in the second that is over.
    fn turn_flood(&self) {
        let mut flood = lock(&self.flood);
        self.push_suppressed(flood.turn((self.clock)()));
    }

    /// Logs what was suppressed so far.
    fn end_flood(&self) {
        let mut flood = lock(&self.flood);
        self.push_suppressed(flood.end());
    }

    /// Called under the flood's lock, so that these lines precede those of the next second.
    fn push_suppressed(&self, refusals: Vec<Suppressed>) {
        for many in refusals {
            let mut line = String::with_capacity(LINE);
            self.format.write_suppressed(&self.place, &many, &mut line);
            self.push(&line);
        }
    }

    fn push(&self, line: &str) {
        if !self.queue.push(line.as_bytes()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
