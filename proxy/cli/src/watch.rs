//! Certificates, keys, bundles and revocation lists, noticed when they change.
//!
//! A thread of its own looks at what the files hold: the poll is the truth, and an event of the file
//! system only makes it look at once. So a file system that hangs keeps nobody from asking for health, and
//! one that tells of no events delays a change and loses none.

mod expiry;
mod notices;
mod places;
mod round;
#[cfg(test)]
mod tests;
mod unit;

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use landbridge::Credentials;
use landbridge_core::config::{IdentityFiles, TrustFiles};
use rustls_pki_types::UnixTime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::notices::Notices;
use self::places::Places;
pub(crate) use self::round::Change;
use self::round::Round;
pub(crate) use self::unit::Unit;

/// How often the files are read: every change is noticed within 10 s, with time left to load it.
const POLL: Duration = Duration::from_secs(8);
/// How long files must rest after an event before they are read: whoever writes two writes both.
const QUIET: Duration = Duration::from_millis(200);
/// How long files that never rest are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The watch over the files of the running configuration.
pub(crate) struct Watch {
    wake: Sender<Wake>,
    changes: UnboundedReceiver<(u64, Change)>,
    /// Which configuration is watched; a change that belongs to an earlier one is not told.
    number: u64,
}

/// What ends the thread's wait.
enum Wake {
    /// Something happened to one of the files.
    Touched,
    /// Other files are to be watched.
    Follow(Box<Round>),
}

/// The files that a configuration names, as they are now.
pub(crate) fn units(identity: &IdentityFiles, trust: &[TrustFiles]) -> Vec<Unit> {
    Unit::all(identity, trust)
}

impl Watch {
    /// Begins to watch `units`, from which `credentials` were loaded.
    pub(crate) fn start(units: Vec<Unit>, credentials: Arc<Credentials>) -> io::Result<Self> {
        let (wake, wakes) = channel();
        let touched = wake.clone();
        let notices = Notices::new(move || {
            // The thread has ended with the process.
            let _ = touched.send(Wake::Touched);
        });
        let (told, changes) = unbounded_channel();
        let round = Round::new(0, units, credentials);
        let watcher = Watcher { round, wakes, notices, told, poll: POLL };
        thread::Builder::new().name("watch".to_owned()).spawn(move || watcher.run())?;
        Ok(Self { wake, changes, number: 0 })
    }

    /// Watches the files of another configuration from now on.
    pub(crate) fn follow(&mut self, units: Vec<Unit>, credentials: Arc<Credentials>) {
        self.number += 1;
        let round = Round::new(self.number, units, credentials);
        if self.wake.send(Wake::Follow(Box::new(round))).is_err() {
            tracing::error!("certificates are not watched any more; SIGHUP still reads them");
        }
    }

    /// Waits for the next change.
    ///
    /// # Cancel safety
    /// No change is lost.
    pub(crate) async fn next(&mut self) -> Change {
        loop {
            match self.changes.recv().await {
                Some((number, change)) if number == self.number => return change,
                Some(_) => {}
                None => pending().await,
            }
        }
    }
}

/// What the thread has.
struct Watcher {
    round: Round,
    wakes: Receiver<Wake>,
    notices: Notices,
    told: UnboundedSender<(u64, Change)>,
    poll: Duration,
}

impl Watcher {
    fn run(mut self) {
        loop {
            // Listened for before they are read: what happens in between is an event.
            self.notices.follow(Places::of(self.round.files()));
            let change = self.round.look(UnixTime::now());
            let wait = if change.settled { self.poll } else { QUIET };
            if !change.is_empty() && self.told.send((self.round.number, change)).is_err() {
                return;
            }
            match self.wakes.recv_timeout(wait) {
                Ok(Wake::Follow(round)) => self.round = *round,
                Ok(Wake::Touched) => self.settle(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Waits until the files are left alone.
    fn settle(&mut self) {
        let latest = Instant::now() + PATIENCE;
        while Instant::now() < latest {
            match self.wakes.recv_timeout(QUIET) {
                Ok(Wake::Follow(round)) => self.round = *round,
                Ok(Wake::Touched) => {}
                Err(_) => return,
            }
        }
    }
}
