//! The jobs, and how each is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use tokio::task::JoinSet;

use super::bulk::{self, Way};
use super::idle;
use super::meter::{Done, Meter};
use super::small;
use super::target::{Sessions, Target, end};
use super::upstream::Upstream;

/// What is done to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Connect, shake hands in full, have one byte echoed, close: in a closed loop.
    Handshake,
    /// The same, with each session resumed by the ticket of the one before.
    Resumed,
    /// Bulk from the client to the endpoint.
    Up,
    /// Bulk from the endpoint to the client.
    Down,
    /// Bulk both ways at once.
    Both,
    /// Small messages there and back, the next when the last is back.
    PingPong,
    /// Small messages at a fixed rate, each timed from when it should have begun.
    OpenLoop,
    /// Connections that do nothing, before and after a burst each.
    Idle,
}

/// A job with its numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) kind: Kind,
    /// At once.
    pub(crate) connections: usize,
    /// Calls or round trips in all.
    pub(crate) operations: u64,
    /// Bulk in all, each way.
    pub(crate) bytes: u64,
    /// Bytes of a small message.
    pub(crate) size: usize,
    /// Messages a second, for the open loop.
    pub(crate) rate: u32,
    /// How long the gateway is left alone before its memory is looked at.
    pub(crate) settle: Duration,
}

impl Job {
    /// Does it, and makes sure that all bytes that went in at one end came out at the other.
    pub(crate) async fn perform(
        &self,
        target: &Arc<Target>,
        upstream: Option<&Upstream>,
        pid: Option<u32>,
    ) -> anyhow::Result<Done> {
        ensure!(self.connections > 0, "expected at least one connection");
        let before = upstream.map(Upstream::carried);
        let done = match self.kind {
            Kind::Handshake => self.calls(target, Sessions::New, pid).await?,
            Kind::Resumed => self.calls(target, Sessions::Resumed, pid).await?,
            Kind::Up => bulk::carry(self, target, Way::Up, pid).await?,
            Kind::Down => bulk::carry(self, target, Way::Down, pid).await?,
            Kind::Both => bulk::carry(self, target, Way::Both, pid).await?,
            Kind::PingPong => small::closed_loop(self, target, pid).await?,
            Kind::OpenLoop => small::open_loop(self, target, pid).await?,
            Kind::Idle => {
                idle::footprint(self, target, pid.context("say which --pid the gateway is")?).await?
            }
        };
        if let (Some(before), Some(after)) = (before, upstream.map(Upstream::carried)) {
            let seen = (after.0 - before.0, after.1 - before.1);
            ensure!(
                seen == (done.sent, done.received),
                "the clients sent {} bytes and received {}, but the endpoint received {} and sent {}",
                done.sent,
                done.received,
                seen.0,
                seen.1
            );
        }
        Ok(done)
    }

    /// Calls in a closed loop; each caller has called once before, which earns it its ticket.
    async fn calls(
        &self,
        target: &Arc<Target>,
        sessions: Sessions,
        pid: Option<u32>,
    ) -> anyhow::Result<Done> {
        let mut done = Done::new()?;
        let mut callers = Vec::new();
        for nth in 0..self.connections {
            let caller = target.caller(sessions);
            end(caller.begin(nth as u64).await?.0).await?;
            callers.push(caller);
        }
        let next = Arc::new(AtomicU64::new(0));
        let mut calls = JoinSet::new();
        let meter = Meter::begin(pid)?;
        for caller in callers {
            let (next, operations) = (next.clone(), self.operations);
            calls.spawn(async move {
                let mut done = Done::new()?;
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= operations {
                        return anyhow::Ok(done);
                    }
                    let begun = Instant::now();
                    let (stream, kind) = caller.begin(nth).await?;
                    done.took(begun.elapsed());
                    done.handshakes.count(kind);
                    end(stream).await?;
                }
            });
        }
        while let Some(of) = calls.join_next().await {
            done.add(&of??)?;
        }
        meter.end(&mut done)?;
        let all = done.operations + self.connections as u64;
        (done.sent, done.received) = (all, all);
        let resumed = done.handshakes.resumed;
        match sessions {
            Sessions::New => {
                ensure!(resumed == 0, "expected full handshakes, {resumed} sessions were resumed");
            }
            Sessions::Resumed => {
                ensure!(resumed == self.operations, "{resumed} of {} sessions were resumed", self.operations);
            }
        }
        ensure!(done.handshakes.retried == 0, "expected no HelloRetryRequest");
        Ok(done)
    }
}
