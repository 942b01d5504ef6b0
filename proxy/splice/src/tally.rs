//! How many payload bytes a connection has carried, readable while it runs.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::End;

/// Byte counts of one connection, readable while it runs.
///
/// Payload only: plaintext where the gateway terminates TLS, the stream as it is where it passes through. A byte
/// counts once it was handed to the other side's queue, so a count never exceeds what that side may see.
/// Monotonic; read with relaxed ordering, so the two counts are each exact but not one instant's pair.
#[derive(Debug, Default)]
pub struct Tally {
    from_downstream: AtomicU64,
    to_downstream: AtomicU64,
}

impl Tally {
    /// Bytes taken from downstream and handed to upstream: the access log's `bytes_received`.
    pub fn received(&self) -> u64 {
        self.from_downstream.load(Ordering::Relaxed)
    }

    /// Bytes taken from upstream and handed to downstream: the access log's `bytes_sent`.
    pub fn sent(&self) -> u64 {
        self.to_downstream.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, from: End, bytes: usize) {
        let count = match from {
            End::Downstream => &self.from_downstream,
            End::Upstream => &self.to_downstream,
        };
        count.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
