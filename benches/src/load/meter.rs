//! What a job took, of time, of processor and of memory.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustls::HandshakeKind;

use crate::process;

/// What came of a job.
pub(crate) struct Done {
    /// Calls or round trips that were measured.
    pub(crate) operations: u64,
    /// Bytes of bulk that were measured, both ways.
    pub(crate) bytes: u64,
    pub(crate) wall: Duration,
    /// Of the gateway, if it was said which process that is.
    pub(crate) cpu: Option<Duration>,
    /// How long each operation took, in nanoseconds.
    pub(crate) took: Histogram<u64>,
    pub(crate) handshakes: Handshakes,
    /// The gateway's resident bytes, when.
    pub(crate) memory: Vec<(&'static str, u64)>,
    /// Everything that the clients sent and received, for comparison with the other end.
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// How handshakes went, as the client's TLS says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Handshakes {
    pub(crate) full: u64,
    pub(crate) resumed: u64,
    pub(crate) retried: u64,
}

/// A minute; what takes longer counts as this.
const LONGEST: u64 = 60_000_000_000;

/// Measures from when it is made.
pub(super) struct Meter {
    pid: Option<u32>,
    begun: Instant,
    cpu: Duration,
}

impl Done {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            operations: 0,
            bytes: 0,
            wall: Duration::ZERO,
            cpu: None,
            took: Histogram::new_with_bounds(1, LONGEST, 3)?,
            handshakes: Handshakes::default(),
            memory: Vec::new(),
            sent: 0,
            received: 0,
        })
    }

    pub(super) fn took(&mut self, time: Duration) {
        self.operations += 1;
        self.took.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.operations += other.operations;
        self.bytes += other.bytes;
        self.took.add(&other.took)?;
        self.handshakes.full += other.handshakes.full;
        self.handshakes.resumed += other.handshakes.resumed;
        self.handshakes.retried += other.handshakes.retried;
        self.sent += other.sent;
        self.received += other.received;
        Ok(())
    }

    /// The gateway's processor time for each operation, in microseconds.
    pub(crate) fn cpu_each(&self) -> Option<f64> {
        per(self.cpu?.as_secs_f64() * 1e6, self.operations)
    }

    /// The gateway's processor time for a gigabyte, in seconds.
    pub(crate) fn cpu_per_gigabyte(&self) -> Option<f64> {
        per(self.cpu?.as_secs_f64() * 1e9, self.bytes)
    }

    /// A percentile of what operations took, in microseconds.
    pub(crate) fn percentile(&self, percentile: f64) -> f64 {
        to_float(self.took.value_at_percentile(percentile)) / 1000.0
    }
}

impl Handshakes {
    pub(super) fn count(&mut self, kind: Option<HandshakeKind>) {
        match kind {
            Some(HandshakeKind::Full) => self.full += 1,
            Some(HandshakeKind::Resumed) => self.resumed += 1,
            Some(HandshakeKind::FullWithHelloRetryRequest) => self.retried += 1,
            None => {}
        }
    }
}

impl Meter {
    pub(super) fn begin(pid: Option<u32>) -> anyhow::Result<Self> {
        let cpu = pid.map(process::cpu_of_all).transpose()?.unwrap_or_default();
        Ok(Self { pid, begun: Instant::now(), cpu })
    }

    pub(super) fn end(self, done: &mut Done) -> anyhow::Result<()> {
        done.wall = self.begun.elapsed();
        let cpu = self.pid.map(process::cpu_of_all).transpose()?;
        done.cpu = cpu.map(|cpu| cpu.saturating_sub(self.cpu));
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures to read; what is lost is far behind the point")]
pub(crate) fn to_float(number: u64) -> f64 {
    number as f64
}

fn per(all: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| all / to_float(count))
}
