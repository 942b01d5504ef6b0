//! What an operator and a load balancer do: replicas come, are told to stop, and are called while they are ready.

use std::collections::VecDeque;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use landbridge_testkit::command::{Running, http_get};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::scene::Scene;

/// How many there are, whoever comes or goes.
const REPLICAS: usize = 2;
/// How long a replica may take to become ready, or to stop being so.
const SOON: Duration = Duration::from_secs(60);
/// How often readiness is asked for.
const AGAIN: Duration = Duration::from_millis(20);

/// The replicas that are called, oldest first.
pub(super) struct Replicas {
    program: String,
    config: PathBuf,
    scene: Scene,
    running: VecDeque<Running>,
    ready: watch::Sender<Vec<SocketAddr>>,
}

/// What became of all that were replaced.
#[derive(Default)]
pub(super) struct Replaced {
    pub(super) times: u64,
    pub(super) reloads: u64,
    pub(super) renewed: u64,
    /// How many connections a drain began with, and how many it cut.
    pub(super) open: u64,
    pub(super) cut: u64,
    /// Replicas that did not end well, or said that they panicked.
    pub(super) bad: Vec<String>,
    /// Those that nobody has told to stop yet.
    left: VecDeque<Running>,
}

impl Replicas {
    /// Starts as many as there are to be.
    pub(super) fn start(program: String, config: PathBuf, scene: Scene) -> anyhow::Result<Self> {
        let ready = watch::Sender::new(Vec::new());
        let mut replicas = Self { program, config, scene, running: VecDeque::new(), ready };
        for _ in 0..REPLICAS {
            replicas.add()?;
        }
        Ok(replicas)
    }

    /// Where those are that may be called, from now on.
    pub(super) fn ready(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.ready.subscribe()
    }

    /// Replaces one after the other, in so many rounds and as long as there is to be `more`.
    pub(super) fn replace(mut self, rounds: u64, more: impl Fn() -> bool) -> anyhow::Result<Replaced> {
        let mut all = Replaced::default();
        while all.times < rounds || more() {
            let round = all.times;
            self.round(&mut all).with_context(|| format!("round {round}"))?;
        }
        all.left = self.running;
        Ok(all)
    }

    fn round(&mut self, all: &mut Replaced) -> anyhow::Result<()> {
        self.add()?;
        if all.times.is_multiple_of(2) {
            // Noticed without a signal, in its own time; the replica that leaves may be the one to notice.
            self.scene.renew_identity()?;
            all.renewed += 1;
        }
        let old = self.running.pop_front().context("no replica is left")?;
        old.signal("TERM");
        wait("an old replica to be unready", || readiness(&old) != 200)?;
        self.publish();
        self.scene.reconfigure()?;
        for running in &mut self.running {
            running.signal("HUP");
            running.event("configuration applied");
            all.reloads += 1;
        }
        all.add(old);
        Ok(())
    }

    /// Starts one; it is called as soon as it is ready.
    fn add(&mut self) -> anyhow::Result<()> {
        let running = Running::start(&self.program, &self.config, &[]);
        wait("a new replica to be ready", || readiness(&running) == 200)?;
        self.running.push_back(running);
        self.publish();
        Ok(())
    }

    fn publish(&self) {
        self.ready.send_replace(self.running.iter().map(|running| running.address).collect());
    }
}

impl Replaced {
    /// Stops those that were left, with nobody calling any more.
    pub(super) fn end(mut self) -> Self {
        for running in std::mem::take(&mut self.left) {
            running.signal("TERM");
            self.add(running);
            self.times -= 1;
        }
        self
    }

    /// Waits for the end of one that was told to stop.
    fn add(&mut self, mut old: Running) {
        let stopped = old.event("stopped");
        let count = |field: &str| {
            let rest = stopped.split_once(field).map_or("", |(_, rest)| rest);
            rest.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default()
        };
        self.open += count("open=");
        self.cut += count("cut=");
        let panics = old.events().iter().filter(|event| event.contains("panicked")).cloned();
        self.bad.extend(panics.collect::<Vec<_>>());
        let (status, _) = old.ended();
        if !status.success() {
            self.bad.push(format!("a replica ended with {status}"));
        }
        self.times += 1;
    }

    /// Whether no caller can have noticed anything.
    pub(super) fn is_good(&self) -> bool {
        self.cut == 0 && self.bad.is_empty()
    }

    /// In lines for people.
    pub(super) fn told(&self) -> String {
        let Self { times, reloads, renewed, open, cut, bad, .. } = self;
        let mut text = format!(
            "{times} replicas replaced, with {open} connections open when they were told to stop: {cut} cut; \
             {renewed} certificates renewed, {reloads} reloads\n"
        );
        for what in bad {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {what}");
        }
        text
    }

    /// As an object for programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "good": self.is_good(), "replaced": self.times, "open_when_stopped": self.open, "cut": self.cut,
            "certificates_renewed": self.renewed, "bad": self.bad,
        })
    }
}

fn readiness(running: &Running) -> u16 {
    http_get(running.health, "/healthz/ready").0
}

fn wait(what: &str, holds: impl Fn() -> bool) -> anyhow::Result<()> {
    let since = Instant::now();
    while !holds() {
        if since.elapsed() > SOON {
            bail!("{what} was waited for in vain");
        }
        std::thread::park_timeout(AGAIN);
    }
    Ok(())
}
