//! What a stream is made of: after its header, cells of 64 bytes that say which stream they belong to and where.
//!
//! Every byte follows from the run, the connection, the direction and the position, so a receiver knows what has
//! to come next without having been told, and compares byte for byte. That a cell names its own place serves the
//! diagnosis only: bytes that are wrong here can be recognised as right elsewhere.

use crate::rng::mix;

/// Bytes before the first cell; see `header.rs`.
pub(crate) const HEADER: u64 = 72;
/// Bytes of a cell.
pub(crate) const CELL: u64 = 64;
const CELL_BYTES: usize = 64;
/// Connections are numbered below this, so that a cell of chance is not taken for one of ours.
const CONNECTIONS: u64 = 1 << 32;

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the client to the endpoint.
    Forth,
    /// From the endpoint to the client.
    Back,
}

/// Which stream: of all that are sent with one seed, by its connection and direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label {
    /// The seed of the whole run.
    pub run: u64,
    /// The connection's number.
    pub connection: u64,
    /// The direction.
    pub way: Way,
}

impl Way {
    /// The other direction.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Forth => Self::Back,
            Self::Back => Self::Forth,
        }
    }
}

impl Label {
    /// The stream the other way of the same connection.
    #[must_use]
    pub fn opposite(self) -> Self {
        Self { way: self.way.opposite(), ..self }
    }

    /// A seed for what is random about this stream besides its bytes.
    pub(crate) fn seed(self) -> u64 {
        mix(mix(self.run) ^ self.number())
    }

    fn number(self) -> u64 {
        self.connection << 1 | u64::from(self.way == Way::Back)
    }

    /// The cell of this index.
    pub(crate) fn cell(self, index: u64) -> [u8; CELL_BYTES] {
        let name = mix(self.run) ^ self.number();
        let mask = mix(name);
        let place = mask ^ index;
        let mut cell = [0; CELL_BYTES];
        for (word, bytes) in (0..).zip(cell.chunks_exact_mut(8)) {
            let value = match word {
                0 => name,
                1 => place,
                _ => mix(mask.rotate_left(17) ^ (index << 3 | word)),
            };
            bytes.copy_from_slice(&value.to_le_bytes());
        }
        cell
    }

    /// Writes what the stream has from `position` on, which must be behind the header.
    pub(crate) fn fill(self, position: u64, out: &mut Vec<u8>, count: u64) {
        let mut at = position.saturating_sub(HEADER);
        let end = at + count;
        while at < end {
            let cell = self.cell(at / CELL);
            let (from, to) = (at % CELL, CELL.min(at % CELL + end - at));
            let part = usize::try_from(from).ok().zip(usize::try_from(to).ok());
            out.extend_from_slice(part.and_then(|(from, to)| cell.get(from..to)).unwrap_or_default());
            at += to - from;
        }
    }

    /// Which stream of this run a cell belongs to, and where its first byte is there.
    pub(crate) fn recognise(run: u64, bytes: &[u8]) -> Option<(Self, u64)> {
        let name = word(bytes, 0)?;
        let number = name ^ mix(run);
        let way = if number & 1 == 0 { Way::Forth } else { Way::Back };
        let label = Self { run, connection: number >> 1, way };
        if label.connection >= CONNECTIONS {
            return None;
        }
        let index = word(bytes, 1)? ^ mix(name);
        (bytes.get(..CELL_BYTES)? == label.cell(index)).then(|| (label, HEADER + index * CELL))
    }
}

/// The number in the `index`th 8 bytes.
pub(crate) fn word(bytes: &[u8], index: usize) -> Option<u64> {
    let bytes = bytes.get(index * 8..index * 8 + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}
