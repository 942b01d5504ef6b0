//! How much the gateway takes on: what "auto" comes to on this machine.

use std::fmt;
use std::num::NonZeroUsize;

use landbridge_core::config::Limits;
use landbridge_splice::{Buffers, Pipes};
use rustix::process::{Resource, getrlimit};

use crate::error::{Error, Kind};
use crate::pressure::Meter;

/// Descriptors that connections leave to everything else.
const RESERVED_FILES: u64 = 256;
/// Descriptors that one connection needs.
const FILES_PER_CONNECTION: u64 = 2;
/// Pipes for passthrough at most: together they hold what Linux lets a user other than root have in pipes.
const MOST_PIPES: u64 = (64 << 20) / BYTES_PER_PIPE;
const FILES_PER_PIPE: u64 = Pipes::DESCRIPTORS as u64;
const BYTES_PER_PIPE: u64 = Pipes::BYTES as u64;
/// Memory that one connection has while it is idle, with TLS that ends here (`landbridge-bench memory`: 17.1 KiB).
const IDLE: u64 = 18 * 1024;
/// Memory that one connection has at most, besides its share of the large buffers.
const BYTES_PER_CONNECTION: u64 = IDLE + Buffers::BESIDE as u64;
/// Memory that one handshake has at most: a hello and a chain of certificates of the largest size that is taken, and
/// TLS itself.
const BYTES_PER_HANDSHAKE: u64 = (16 + 32 + 16) * 1024;
/// Memory of the process without connections; more where very many services are configured.
const BYTES_OF_PROCESS: u64 = 32 << 20;
/// Large buffers take an eighth of the memory, within these bounds.
const LEAST_BUFFERS: u64 = 8 << 20;
const MOST_BUFFERS: u64 = 256 << 20;
/// Handshakes in flight for each core.
const HANDSHAKES_PER_CORE: usize = 256;

/// The limits in force, and what they were computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Connections at once; never more than the open files carry.
    pub connections: usize,
    /// Pipes that passthrough may be spliced through at once; without one, bytes are copied.
    pub pipes: usize,
    /// Handshakes in flight.
    pub handshakes: usize,
    /// What the large buffers of all connections may take together, in bytes.
    pub buffers: usize,
    /// Processor cores, each of which keeps some buffers for its next connections.
    pub cores: usize,
    /// The limit of open files; `None` is unlimited.
    pub open_files: Option<u64>,
    /// The memory to keep within, in bytes: `limits.memory`, else the limit of the cgroup. `None` is unlimited or unknown.
    pub memory: Option<u64>,
}

impl Capacity {
    /// Reads the limits of this process and works out what `limits` come to now.
    ///
    /// # Errors
    /// An open-file limit that leaves no room for connections.
    pub fn measure(limits: &Limits) -> Result<Self, Error> {
        let memory = Meter::of(limits).map(|meter| meter.limit());
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::compute(limits, getrlimit(Resource::Nofile).current, memory, cores)
    }

    /// The open files that all connections and everything else need.
    pub fn open_files_needed(&self) -> u64 {
        let pipes = (self.pipes as u64).saturating_mul(FILES_PER_PIPE);
        let connections = (self.connections as u64).saturating_mul(FILES_PER_CONNECTION);
        connections.saturating_add(pipes).saturating_add(RESERVED_FILES)
    }

    /// The memory that the process takes at most, in bytes, whatever its peers do. What the kernel holds for its
    /// sockets is not in it.
    pub fn memory_needed(&self) -> u64 {
        let connections = (self.connections as u64).saturating_mul(BYTES_PER_CONNECTION);
        let fixed = fixed(self.handshakes, self.buffers as u64, self.cores);
        connections.saturating_add(fixed).saturating_add(BYTES_OF_PROCESS)
    }

    fn compute(
        limits: &Limits,
        open_files: Option<u64>,
        memory: Option<u64>,
        cores: usize,
    ) -> Result<Self, Error> {
        let least = RESERVED_FILES + FILES_PER_CONNECTION;
        if let Some(open_files) = open_files.filter(|files| *files < least) {
            return Err(Kind::OpenFiles { open_files, least }.into());
        }
        let pipes = most_pipes(limits, open_files, memory);
        let by_files = open_files.map_or(u64::MAX, |files| {
            (files - RESERVED_FILES).saturating_sub(pipes * FILES_PER_PIPE) / FILES_PER_CONNECTION
        });
        let most = tokio::sync::Semaphore::MAX_PERMITS;
        let handshakes = limits.handshakes.unwrap_or(cores * HANDSHAKES_PER_CORE).clamp(1, most);
        let buffers = memory.map_or(MOST_BUFFERS, |memory| (memory / 8).clamp(LEAST_BUFFERS, MOST_BUFFERS));
        // A quarter is left to the process itself, to the kernel's socket buffers and to the page cache.
        let by_memory = memory.map_or(u64::MAX, |memory| {
            (memory / 4 * 3).saturating_sub(fixed(handshakes, buffers, cores)) / BYTES_PER_CONNECTION
        });
        let auto = usize::try_from(by_files.min(by_memory)).unwrap_or(usize::MAX);
        Ok(Self {
            // No number may eat up what is reserved: health, administration and files would fail first.
            connections: limits
                .connections
                .unwrap_or(auto)
                .min(usize::try_from(by_files).unwrap_or(usize::MAX))
                .clamp(1, most),
            pipes: usize::try_from(pipes).unwrap_or(usize::MAX),
            handshakes,
            buffers: usize::try_from(buffers).unwrap_or(usize::MAX),
            cores,
            open_files,
            memory,
        })
    }
}

/// How many pipes the descriptors and the memory carry. A number of connections goes before them.
fn most_pipes(limits: &Limits, open_files: Option<u64>, memory: Option<u64>) -> u64 {
    let by_files = open_files.map_or(u64::MAX, |files| {
        let free = files.saturating_sub(RESERVED_FILES);
        let share = match limits.connections {
            Some(connections) => {
                free.saturating_sub((connections as u64).saturating_mul(FILES_PER_CONNECTION))
            }
            None => free / 8,
        };
        share / FILES_PER_PIPE
    });
    // A part of the quarter that connections leave.
    let by_memory = memory.map_or(u64::MAX, |memory| memory / 16 / BYTES_PER_PIPE);
    MOST_PIPES.min(by_files).min(by_memory)
}

/// Memory that doesn't grow with the number of connections.
fn fixed(handshakes: usize, buffers: u64, cores: usize) -> u64 {
    let handshakes = (handshakes as u64).saturating_mul(BYTES_PER_HANDSHAKE);
    let kept = (cores as u64).saturating_mul(Buffers::KEPT as u64);
    handshakes.saturating_add(buffers).saturating_add(kept)
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (most, buffers) = (self.memory_needed() >> 20, self.buffers >> 20);
        write!(f, "{} connections, {} handshakes in flight", self.connections, self.handshakes)?;
        write!(f, ", {most} MiB of memory at most, {buffers} of it for large buffers")?;
        match self.open_files {
            Some(files) => write!(f, " ({files} open files")?,
            None => write!(f, " (open files unlimited")?,
        }
        match self.memory {
            Some(bytes) => write!(f, ", {} MiB of memory)", bytes >> 20),
            None => write!(f, ", no memory limit)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_the_tighter_of_files_and_memory() {
        let auto = Limits::default();
        let by_files = Capacity::compute(&auto, Some(1256), None, 2).unwrap();
        assert_eq!((by_files.connections, by_files.handshakes, by_files.pipes), (438, 512, 62));
        assert!(by_files.open_files_needed() <= 1256);
        let by_memory = Capacity::compute(&auto, Some(1_000_000), Some(512 << 20), 2).unwrap();
        // Three quarters, less 32 MiB for handshakes, 64 for large buffers and 5 that are kept, by 92.5 KiB.
        assert_eq!((by_memory.connections, by_memory.pipes), (3129, 32));
        assert_eq!(
            by_memory.to_string(),
            "3129 connections, 512 handshakes in flight, 415 MiB of memory at most, 64 of it for large buffers \
             (1000000 open files, 512 MiB of memory)"
        );
        assert!(Capacity::compute(&auto, None, None, 1).unwrap().connections > 1 << 40);
    }

    #[test]
    fn auto_leaves_a_quarter_of_the_memory_to_everything_else() {
        for mib in [64, 128, 512, 4096, 65_536_u64] {
            let capacity = Capacity::compute(&Limits::default(), None, Some(mib << 20), 2).unwrap();
            let counted = capacity.memory_needed() - BYTES_OF_PROCESS;
            // Where there is next to nothing, one connection is taken on all the same.
            assert!(counted <= (mib << 20) / 4 * 3 || capacity.connections == 1, "{mib}: {capacity}");
        }
    }

    #[test]
    fn a_number_wins_over_auto() {
        let limits = Limits { connections: Some(7), handshakes: Some(3), ..Limits::default() };
        let capacity = Capacity::compute(&limits, Some(1256), Some(512 << 20), 2).unwrap();
        assert_eq!((capacity.connections, capacity.handshakes, capacity.pipes), (7, 3, 32));
    }

    #[test]
    fn a_number_that_the_open_files_do_not_carry_is_lowered_to_what_they_do() {
        let limits = Limits { connections: Some(10_000), ..Limits::default() };
        let capacity = Capacity::compute(&limits, Some(1256), None, 2).unwrap();
        assert_eq!((capacity.connections, capacity.pipes), (500, 0));
    }

    #[test]
    fn connections_by_number_leave_what_is_over_to_pipes() {
        let limits = Limits { connections: Some(490), ..Limits::default() };
        let capacity = Capacity::compute(&limits, Some(1256), None, 2).unwrap();
        assert_eq!((capacity.connections, capacity.pipes, capacity.open_files_needed()), (490, 10, 1256));
        let plenty = Capacity::compute(&limits, Some(1_000_000), None, 2).unwrap();
        assert_eq!((plenty.connections, plenty.pipes), (490, 64));
        let least = Capacity::compute(&Limits::default(), Some(258), None, 2).unwrap();
        assert_eq!((least.connections, least.pipes), (1, 0));
    }

    #[test]
    fn too_few_open_files_are_an_error_that_says_how_many_are_needed() {
        let error = Capacity::compute(&Limits::default(), Some(64), None, 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the limit of 64 open files leaves no room for connections; raise it to at least 258 (ulimit -n)"
        );
    }
}
