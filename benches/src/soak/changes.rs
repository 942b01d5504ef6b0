//! What an operator does meanwhile, from a thread of its own: each change on an interval of its own.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, anyhow};
use landbridge_testkit::command::Running;

use super::scene::Scene;

/// How often each change was made.
pub(super) type Made = BTreeMap<&'static str, u64>;

/// An operator at work.
pub(super) struct Operator {
    stop: Sender<()>,
    work: JoinHandle<anyhow::Result<Worked>>,
}

/// What an operator leaves behind.
pub(super) struct Worked {
    pub(super) gateway: Running,
    pub(super) scene: Scene,
    pub(super) made: Made,
}

impl Operator {
    /// Begins to change things: the configuration each time, everything else less often.
    pub(super) fn start(gateway: Running, scene: Scene, every: Duration) -> Self {
        let (stop, stopped) = channel();
        let work = thread::spawn(move || {
            let mut worked = Worked { gateway, scene, made: Made::new() };
            worked.change_until(&stopped, every)?;
            Ok(worked)
        });
        Self { stop, work }
    }

    /// Ends it, with the guest's grant withdrawn for good.
    pub(super) fn stop(self) -> anyhow::Result<Worked> {
        // An operator that has failed has stopped, and says why below.
        let _ = self.stop.send(());
        self.work.join().map_err(|_| anyhow!("the gateway did not do what it was told; see above"))?
    }
}

impl Worked {
    fn change_until(&mut self, stopped: &Receiver<()>, every: Duration) -> anyhow::Result<()> {
        for nth in 1_u64.. {
            if stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                break;
            }
            self.change(nth).with_context(|| format!("change {nth}"))?;
        }
        self.scene.withdraw()?;
        self.reload();
        Ok(())
    }

    fn change(&mut self, nth: u64) -> anyhow::Result<()> {
        if nth.is_multiple_of(2) {
            self.scene.renew_lists()?;
            self.count("revocation lists renewed");
        }
        if nth.is_multiple_of(3) {
            self.scene.renew_identity()?;
            self.count("gateway's certificate renewed");
        }
        if nth.is_multiple_of(4) {
            self.scene.move_log()?;
            self.gateway.signal("USR1");
            self.count("access log moved, USR1");
        }
        if nth.is_multiple_of(5) {
            self.scene.change_bundle()?;
            self.count("root added or removed");
        }
        // Two times in three: otherwise what the files hold is noticed without a signal.
        if !nth.is_multiple_of(3) {
            self.scene.reconfigure()?;
            self.reload();
        }
        Ok(())
    }

    fn reload(&mut self) {
        self.gateway.signal("HUP");
        self.gateway.event("configuration applied");
        self.count("configuration changed, HUP");
    }

    fn count(&mut self, change: &'static str) {
        *self.made.entry(change).or_default() += 1;
    }
}
