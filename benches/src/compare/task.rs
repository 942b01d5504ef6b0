//! The jobs of a comparison: what is done, to which configuration, and which figures come of it.

use std::fmt;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use landbridge_streams::Mode;

use crate::gateways::{Kind, Tickets};
use crate::load::{self, Done, Job, to_float};

/// T: mutual TLS terminated, the endpoint plain. P: passed through by server name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Task {
    /// T: connect, shake hands in full, one byte there and back, close.
    THandshake,
    /// T: the same with resumed sessions.
    TResumed,
    /// T: bulk from the client.
    TUp,
    /// T: bulk to the client.
    TDown,
    /// T: 64 bytes there and back, 64 connections.
    TPingPong,
    /// T: connections that do nothing.
    TIdle,
    /// P: connect, ClientHello, one byte there and back, close.
    PConnection,
    /// P: bulk from the client.
    PUp,
    /// P: bulk to the client.
    PDown,
    /// P: 64 bytes there and back, 64 connections.
    PPingPong,
    /// P: connections that do nothing.
    PIdle,
    /// P: 10 000 server names.
    #[value(name = "routes-10000")]
    Routes10000,
    /// P: 100 000 server names, for Landbridge and the baseline.
    #[value(name = "routes-100000")]
    Routes100000,
}

/// One number, of which less is better.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) value: f64,
}

const CPU: &str = "CPU of the gateway";

impl Task {
    pub(super) const ALL: [Self; 13] = [
        Self::THandshake,
        Self::TResumed,
        Self::TUp,
        Self::TDown,
        Self::TPingPong,
        Self::TIdle,
        Self::PConnection,
        Self::PUp,
        Self::PDown,
        Self::PPingPong,
        Self::PIdle,
        Self::Routes10000,
        Self::Routes100000,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::THandshake => "T: full mTLS handshake",
            Self::TResumed => "T: resumed handshake",
            Self::TUp => "T: bulk up",
            Self::TDown => "T: bulk down",
            Self::TPingPong => "T: 64 bytes there and back, 64 connections",
            Self::TIdle => "T: idle connections",
            Self::PConnection => "P: connection",
            Self::PUp => "P: bulk up",
            Self::PDown => "P: bulk down",
            Self::PPingPong => "P: 64 bytes there and back, 64 connections",
            Self::PIdle => "P: idle connections",
            Self::Routes10000 => "P: 10 000 server names",
            Self::Routes100000 => "P: 100 000 server names",
        }
    }

    pub(super) fn mode(self) -> Mode {
        match self {
            Self::THandshake | Self::TResumed | Self::TUp | Self::TDown | Self::TPingPong | Self::TIdle => {
                Mode::Terminate
            }
            _ => Mode::Raw,
        }
    }

    pub(super) fn tickets(self) -> Tickets {
        if self == Self::TResumed { Tickets::On } else { Tickets::Off }
    }

    /// How many server names there are.
    pub(super) fn names(self, scale: f64) -> u32 {
        match self {
            Self::Routes10000 => u32::try_from(share(10_000, scale)).unwrap_or(u32::MAX).max(2),
            Self::Routes100000 => u32::try_from(share(100_000, scale)).unwrap_or(u32::MAX).max(2),
            _ => 1,
        }
    }

    /// Envoy takes minutes and gigabytes for a hundred thousand filter chains.
    pub(super) fn fits(self, kind: Kind) -> bool {
        self != Self::Routes100000 || matches!(kind, Kind::Landbridge | Kind::Afternoon)
    }

    /// A call of the simplest kind.
    pub(super) fn call() -> Job {
        Self::THandshake.job(1.0)
    }

    pub(super) fn job(self, scale: f64) -> Job {
        use load::Kind::{Down, Handshake, Idle, PingPong, Resumed, Up};
        let kind = match self {
            Self::THandshake | Self::PConnection | Self::Routes10000 | Self::Routes100000 => Handshake,
            Self::TResumed => Resumed,
            Self::TUp | Self::PUp => Up,
            Self::TDown | Self::PDown => Down,
            Self::TPingPong | Self::PPingPong => PingPong,
            Self::TIdle | Self::PIdle => Idle,
        };
        let operations = match self {
            Self::TPingPong | Self::PPingPong => 100_000,
            Self::PConnection => 5000,
            _ => 3000,
        };
        let connections = kind.connections() as u64;
        let connections = if kind == Idle { share(connections, scale) } else { connections };
        Job {
            kind,
            connections: usize::try_from(connections).unwrap_or(1),
            operations: share(operations, scale),
            bytes: share(2_000_000_000, scale),
            size: 64,
            rate: 0,
            settle: Duration::from_secs(if scale < 1.0 { 0 } else { 2 }),
        }
    }

    /// What is told of a job that was done, by a gateway that took so long, and so much of the processor, to be ready.
    pub(super) fn figures(
        self,
        done: &Done,
        (ready, started): (Duration, Duration),
        resident: u64,
    ) -> anyhow::Result<Vec<Figure>> {
        let each = || done.cpu_each().context("no processor time was counted");
        let figure = |name, unit, value| Figure { name, unit, value };
        Ok(match self {
            Self::THandshake | Self::TResumed | Self::PConnection | Self::TPingPong | Self::PPingPong => {
                vec![figure(CPU, "µs", each()?)]
            }
            Self::TUp | Self::TDown | Self::PUp | Self::PDown => {
                let bulk = done.cpu_per_gigabyte().context("no processor time was counted")?;
                vec![figure(CPU, "s/GB", bulk)]
            }
            Self::TIdle | Self::PIdle => {
                let at = |when: &str| done.memory.iter().find(|(at, _)| *at == when).map(|(_, bytes)| *bytes);
                let before = at("before").context("nobody looked at the memory")?;
                let more = |when: &str| {
                    let bytes = at(when).unwrap_or_default().saturating_sub(before);
                    to_float(bytes) / 1024.0 / to_float(done.operations)
                };
                vec![
                    figure("memory for each", "KiB", more("idle")),
                    figure("memory for each, after 64 KiB both ways", "KiB", more("after bursts")),
                ]
            }
            Self::Routes10000 | Self::Routes100000 => vec![
                figure("start to the first byte echoed", "s", ready.as_secs_f64()),
                figure("CPU of the start", "s", started.as_secs_f64()),
                figure("memory", "MiB", to_float(resident) / 1_048_576.0),
                figure("CPU of a connection", "µs", each()?),
            ],
        })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a small positive number is one"
)]
fn share(all: u64, scale: f64) -> u64 {
    ((to_float(all) * scale) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_a_job_is_a_tenth_of_everything_but_its_shape() {
        let (all, tenth) = (Task::TIdle.job(1.0), Task::TIdle.job(0.1));
        assert_eq!((all.connections, tenth.connections), (2000, 200));
        let (all, tenth) = (Task::PPingPong.job(1.0), Task::PPingPong.job(0.1));
        assert_eq!((all.connections, tenth.connections, tenth.operations), (64, 64, 10_000));
        assert_eq!(Task::Routes100000.names(0.001), 100);
    }
}
