//! Who owns the stream: judges updates, puts them in force, answers, and keeps them on disk.

mod failing;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use landbridge::{Desired, Handle};
use landbridge_admin::{Confirmed, Metrics, Update as Counted};
use landbridge_control_client::Held;
use landbridge_control_client::client::{Feed, State};
use landbridge_control_client::effective::{Count, Verdict};
use landbridge_control_client::session::{Event, Update};
use landbridge_control_client::wire::{Digest, Kind, Name, ReadyEndpoints, Refused};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use self::failing::Failing;
use super::begin::Beginning;
use super::merged::{base, merged};
use super::told::{Look, chain};

/// Changes are put in force no faster than this: the first at once, later ones with what has come meanwhile.
const PACE: Duration = Duration::from_millis(100);
/// How long a change may take until connections see it, before the log says that it doesn't.
const IN_FORCE: Duration = Duration::from_secs(30);
/// How often it is looked whether something is to be said, or still to be written to disk.
const SAVE: Duration = Duration::from_secs(1);
/// A write that takes longer is followed by so many times its time without one, as no update is taken meanwhile.
const QUICK: Duration = Duration::from_millis(20);
const REST: u32 = 20;
/// After so long a start was a good one.
const GOOD: Duration = Duration::from_secs(60);
/// Refusals that are logged of one update; the rest is counted.
const LOGGED: usize = 20;

/// What an owner is connected with.
pub(super) struct Wires {
    pub(super) feed: Feed,
    /// What the file says.
    pub(super) based: watch::Receiver<Desired>,
    pub(super) ordered: mpsc::Receiver<oneshot::Sender<Confirmed>>,
    /// What the gateway is to serve.
    pub(super) updates: watch::Sender<Desired>,
    pub(super) gateway: Handle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tell: watch::Sender<Arc<Value>>,
    pub(super) completed: watch::Sender<bool>,
}

/// The owner of a stream.
pub(super) struct Owner {
    own: Beginning,
    wires: Wires,
    state: watch::Receiver<State>,
    /// What the last update was refused of, and what waits since.
    refused: Vec<Refused>,
    /// What the server knows of endpoints.
    reported: BTreeMap<String, ReadyEndpoints>,
    /// What it was told last: whether the gateway drains, how many connections there are, and what is held.
    said: Option<(bool, u64, Digest)>,
    swapped: Option<Instant>,
    unsaved: bool,
    /// Not before then, unless something was taken away.
    save_due: Option<Instant>,
    fresh: bool,
    failures: u64,
    failing: Failing,
}

impl Owner {
    pub(super) fn new(own: Beginning, wires: Wires) -> Self {
        Self {
            state: wires.feed.state(),
            own,
            wires,
            refused: Vec::new(),
            reported: BTreeMap::new(),
            said: None,
            swapped: None,
            unsaved: false,
            save_due: None,
            fresh: false,
            failures: 0,
            failing: Failing::default(),
        }
    }

    /// Follows the stream, the file and orders until the process ends.
    pub(super) async fn run(mut self) {
        let mut tick = interval(SAVE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let good = sleep_until(Instant::now() + GOOD);
        tokio::pin!(good);
        let mut was_good = false;
        self.tell();
        loop {
            tokio::select! {
                event = self.wires.feed.next() => match event {
                    Some(event) => self.handle(event).await,
                    None => return,
                },
                changed = self.wires.based.changed() => match changed {
                    Ok(()) => self.rebase().await,
                    // The process is ending.
                    Err(_) => return,
                },
                Some(told) = self.wires.ordered.recv() => self.confirm(told).await,
                Ok(()) = self.state.changed() => self.note_state(),
                () = &mut good, if !was_good => {
                    was_good = true;
                    self.own.disk.healthy();
                }
                _ = tick.tick() => {
                    self.save_if_due();
                    self.report().await;
                }
            }
            self.tell();
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Update(update) => self.update(&update).await,
            Event::Welcome(welcome) => {
                tracing::info!(server = welcome.server, "connected to a control server");
                self.failing.is_over();
                self.reported.clear();
                self.said = None;
            }
            Event::Refused(refused) => {
                tracing::error!(
                    code = refused.code,
                    text = refused.text,
                    "an update of the control server is refused as a whole"
                );
                self.wires.metrics.stream(Counted::Refused, 1);
            }
        }
    }

    async fn update(&mut self, update: &Update) {
        if let Some(swapped) = self.swapped {
            sleep_until(swapped + PACE).await;
        }
        let now = self.wires.gateway.uptime();
        let verdict = {
            let held = lock(&self.own.held);
            self.own.effective.judge(update, &held, now, &|name, spec| self.own.entries.check(name, spec))
        };
        let refused = verdict.refused.clone();
        let shrinks = verdict.shrinks;
        self.put_in_force(verdict).await;
        let told = update.refused.iter().chain(&refused);
        self.note_refused(told.cloned().collect());
        self.wires.feed.answer(refused).await;
        self.fresh = true;
        self.own.complete = true;
        self.wires.completed.send_replace(true);
        if shrinks {
            // Nothing is on disk now.
            self.save();
        } else {
            self.save_if_due();
        }
    }

    /// What somebody has confirmed is in force, and gone from what is held.
    async fn confirm(&mut self, told: oneshot::Sender<Confirmed>) {
        let waits = self.own.effective.held_back().count();
        if waits == 0 {
            let _nobody_waits = told.send(Confirmed::Nothing);
            return;
        }
        let confirmation = {
            let held = lock(&self.own.held);
            self.own.effective.confirm(&held, &|name, spec| self.own.entries.check(name, spec))
        };
        tracing::warn!(count = waits, "removals that were held back are confirmed");
        let confirmed: BTreeSet<(Kind, Name)> =
            self.own.effective.held_back().map(|(key, _)| key.clone()).collect();
        let refused = confirmation.verdict.refused.clone();
        let mut still = std::mem::take(&mut self.refused);
        still.retain(|refused| !confirmed.contains(&(refused.kind, refused.name.clone())));
        self.note_refused(refused.clone());
        self.refused.append(&mut still);
        self.put_in_force(confirmation.verdict).await;
        {
            let mut held = lock(&self.own.held);
            let is_refused = |set: &landbridge_control_client::session::SetResource| {
                refused.iter().any(|refused| refused.kind == set.kind && refused.name == set.name)
            };
            for set in confirmation.set.into_iter().filter(|set| !is_refused(set)) {
                held.insert(set.kind, set.name, set.spec);
            }
        }
        self.wires.feed.removed(confirmation.removed).await;
        self.save();
        let _nobody_waits = told.send(Confirmed::Done { count: waits });
    }

    /// The file says something else.
    async fn rebase(&mut self) {
        let file = self.wires.based.borrow_and_update().clone();
        let anew = base(&self.own.config, &self.own.control, &file);
        let (effective, verdict) = {
            let held = lock(&self.own.held);
            self.own.effective.rebase(anew, &held, &|name, spec| self.own.entries.check(name, spec))
        };
        self.own.base = file;
        self.own.effective = effective;
        self.note_refused(verdict.refused.clone());
        self.put_in_force(verdict).await;
    }

    /// Hands a verdict to the gateway and waits until connections see it.
    async fn put_in_force(&mut self, verdict: Verdict) {
        if verdict.shrinks {
            // What is taken away now can't come back from the disk, whenever the process ends.
            self.own.disk.forget();
        }
        let changes = verdict.changed != Count::default() || !verdict.trust.is_empty();
        let Count { put, removed } = verdict.changed;
        let held_before = self.own.effective.held_back().count();
        for late in &verdict.late {
            lock(&self.own.held).insert(late.kind, late.name.clone(), late.spec.clone());
        }
        self.own.effective.accept(verdict);
        let held_back = self.own.effective.held_back().count();
        if held_back > held_before {
            tracing::error!(
                count = held_back,
                "a mass removal is held back: confirm it by `landbridge control confirm`, or let the server send them again"
            );
        }
        self.unsaved = true;
        let desired = merged(&self.own.base, &self.own.effective, &self.own.entries);
        let services = desired.services.clone();
        self.wires.updates.send_replace(desired);
        self.swapped = Some(Instant::now());
        self.wires.metrics.stream(Counted::Applied, 0);
        if !self.own.complete {
            // Nobody listens before the first complete configuration.
            self.wires.completed.send_replace(true);
        }
        if timeout(IN_FORCE, self.wires.gateway.serves(&services)).await.is_err() {
            tracing::error!("what the control server sent is not in force yet; see the lines above");
        }
        if changes {
            tracing::info!(put, removed, "configuration of the control server in force");
        }
    }

    fn note_refused(&mut self, refused: Vec<Refused>) {
        for one in refused.iter().take(LOGGED) {
            tracing::error!(
                kind = %one.kind, name = %one.name, field = one.field, code = one.code, text = one.text,
                "a resource of the control server is refused; its last good version stays"
            );
        }
        if refused.len() > LOGGED {
            tracing::error!(more = refused.len() - LOGGED, "and more resources are refused");
        }
        if !refused.is_empty() {
            self.wires.metrics.stream(Counted::Refused, refused.len());
        }
        self.refused = refused;
    }

    fn note_state(&mut self) {
        let state = self.state.borrow_and_update();
        match state.connected {
            Some(_) => self.wires.metrics.stream_opened(),
            None => self.wires.metrics.stream_lost(),
        }
        if state.failures > self.failures {
            self.failures = state.failures;
            if let Some(failure) = &state.last_failure {
                self.failing.tell(&failure.server, &chain(&*failure.error), Instant::now());
            }
        }
    }

    /// Saves what isn't saved yet, unless that was done lately: what is large and changes often would take all the time.
    fn save_if_due(&mut self) {
        if self.unsaved && self.save_due.is_none_or(|due| Instant::now() >= due) {
            self.save();
        }
    }

    fn save(&mut self) {
        if !self.own.complete {
            return;
        }
        let began = Instant::now();
        self.unsaved = !self.own.disk.save(&lock(&self.own.held));
        let took = began.elapsed();
        self.save_due = (took > QUICK).then(|| Instant::now() + took * REST);
        if self.own.disk.fails() {
            self.wires.metrics.snapshot_failed();
        } else {
            self.wires.metrics.snapshot_kept();
        }
    }

    fn tell(&self) {
        let state = self.state.borrow().clone();
        let held = lock(&self.own.held);
        let look = Look {
            control: &self.own.control,
            state: &state,
            held: &held,
            effective: &self.own.effective,
            refused: &self.refused,
            disk: &self.own.disk,
            fresh: self.fresh,
        };
        self.wires.tell.send_replace(Arc::new(look.told()));
    }
}

fn lock(held: &std::sync::Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
