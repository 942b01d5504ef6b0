//! When a direction takes a pipe, and when it goes back to copying.

use super::{Pipe, Pipes};

/// Bytes that a direction moves in large reads before it asks for a pipe.
pub(super) const ENOUGH: usize = 512 * 1024;
/// Bytes of a large read. Below that a copy costs less than two more calls.
const LARGE: usize = 16 * 1024;

/// Whether a direction moves much at a time, by its latest reads.
pub(crate) struct Flow {
    pipes: Pipes,
    /// Bytes that came in large reads; each small read halves it.
    momentum: usize,
    has_had_one: bool,
}

impl Flow {
    pub(crate) fn new(pipes: Pipes) -> Self {
        Self { pipes, momentum: 0, has_had_one: false }
    }

    /// A pipe, if this direction deserves one and there is one to have. Who gets none earns it anew.
    pub(crate) fn lease(&mut self) -> Option<Pipe> {
        let pipe = self.pipes.lease();
        match pipe {
            None => self.momentum = 0,
            Some(_) if self.has_had_one => {}
            Some(_) => {
                self.has_had_one = true;
                self.pipes.join();
            }
        }
        pipe
    }

    pub(crate) fn is_bulk(&self) -> bool {
        self.momentum >= self.pipes.0.enough
    }

    pub(crate) fn came(&mut self, count: usize) {
        self.momentum =
            if count < LARGE { self.momentum / 2 } else { (self.momentum + count).min(2 * ENOUGH) };
    }

    pub(crate) fn start_over(&mut self) {
        self.momentum = 0;
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        if self.has_had_one {
            self.pipes.leave();
        }
    }
}
