//! What one direction of a link does to packets.

use std::time::Duration;

/// What is done to packets. The default is a good network: nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// So many in a hundred vanish.
    pub loss: u8,
    /// So many in a hundred are held back until others have overtaken them.
    pub reorder: u8,
    /// So many in a hundred arrive twice.
    pub duplicate: u8,
    /// In so many of a hundred TCP segments with payload one bit of it is turned over, and the checksum made to fit.
    pub corrupt: u8,
    /// So many in a hundred TCP segments become a reset with the same sequence number, as a firewall forges it.
    pub reset: u8,
    /// How long a packet takes.
    pub delay: Duration,
    /// How much longer or shorter at most; the order of packets changes with it.
    pub jitter: Duration,
    /// At most so many bytes a second; what would wait for longer than half a second vanishes.
    pub rate: Option<u32>,
    /// Packets of more bytes vanish, and nobody is told.
    pub mtu: Option<usize>,
    /// Everything vanishes.
    pub black_hole: bool,
}

impl Faults {
    /// Everything vanishes.
    pub fn black_hole() -> Self {
        Self { black_hole: true, ..Self::default() }
    }

    /// So many packets in a hundred vanish.
    pub fn loss(percent: u8) -> Self {
        Self { loss: percent, ..Self::default() }
    }
}
