//! What is left to say once the gateway has stopped: how many connections were cut.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use landbridge::Draining;

/// What became of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LastWords {
    /// How many were open when the drain began.
    pub(super) open_at_start: u64,
    /// How many have ended by themselves since.
    pub(super) ended: u64,
    /// How many were cut.
    pub(super) cut: u64,
}

impl LastWords {
    /// The end of a drain. What is open even now ends with the process, and so is cut.
    pub(super) fn of(draining: Draining) -> Self {
        let Draining { open_at_start, open, ended, cut, .. } = draining;
        Self { open_at_start, ended, cut: cut + open }
    }
}

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { open_at_start, ended, cut } = self;
        write!(f, "drained: {open_at_start} open at the start, {ended} ended by themselves, {cut} cut")
    }
}

/// Leaves them where Kubernetes reads a container's termination message, if that is there.
pub(super) fn leave(path: &Path, words: &LastWords) {
    let file = OpenOptions::new().write(true).truncate(true).open(path);
    match file.and_then(|mut file| writeln!(file, "{words}")) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::debug!(%error, path = %path.display(), "cannot leave a termination message");
        }
        _ => {}
    }
}
