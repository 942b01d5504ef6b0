//! What one end of a connection is going to do.

use crate::stream::{HEADER, Way};

/// How much an end sends in a second that is paced.
pub const PACE: u64 = 40 * 1024;

/// How an end ends what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All of it, then close_notify where there is TLS, then FIN.
    Clean,
    /// FIN without close_notify.
    BareFin,
    /// RST.
    Reset,
    /// A fatal alert, then FIN.
    Alert,
    /// A record of which a part is missing, then FIN.
    CutRecord,
    /// SIGKILL of its process, sent by somebody else.
    Killed,
    /// It stops sending and waits for the other side.
    Silent,
}

/// Whether an end sends as fast as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It sends as fast as it can.
    Never,
    /// It sends the second half once the other end has ended cleanly.
    UntilOtherEnded,
    /// It sends a little ten times a second, [`PACE`] bytes in all, however long that takes.
    Paced,
}

/// When an end reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As soon as there is something.
    Always,
    /// Not before the other end has left: what that one sent queues up on the way.
    AfterOtherLeft,
    /// Until it has sent its share: what comes later stays unread.
    UntilStop,
    /// A little ten times a second, about four times [`PACE`]: the rest queues up on the way.
    Slowly,
}

/// What one end of a connection is going to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How long its stream would be, in bytes, header included.
    pub length: u64,
    /// How much of it is sent before the ending; all of it where that is clean.
    pub stop: u64,
    /// How it ends.
    pub ending: Ending,
    /// Whether it waits in between.
    pub hold: Hold,
    /// When it reads.
    pub reading: Reading,
}

/// What both ends of a connection are going to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plans {
    /// The one that calls.
    pub client: Plan,
    /// The one that is called.
    pub endpoint: Plan,
}

impl Plans {
    /// Whether nothing happens that could excuse a stream that is cut short.
    pub fn are_peaceful(&self) -> bool {
        !self.client.cuts() && !self.endpoint.cuts()
    }

    /// The plan of whoever sends this way.
    pub fn of(&self, way: Way) -> Plan {
        match way {
            Way::Forth => self.client,
            Way::Back => self.endpoint,
        }
    }
}

impl Plan {
    /// Sends so much, at least the header, and ends cleanly.
    pub fn clean(length: u64) -> Self {
        let length = length.max(HEADER);
        Self { length, stop: length, ending: Ending::Clean, hold: Hold::Never, reading: Reading::Always }
    }

    /// Ends otherwise, after so many bytes.
    #[must_use]
    pub fn ending(self, ending: Ending, stop: u64) -> Self {
        Self { ending, stop: stop.clamp(HEADER, self.length), ..self }
    }

    /// Sends the second half once the other end has ended.
    #[must_use]
    pub fn held(self) -> Self {
        Self { hold: Hold::UntilOtherEnded, ..self }
    }

    /// Sends a little at a time.
    #[must_use]
    pub fn paced(self) -> Self {
        Self { hold: Hold::Paced, ..self }
    }

    /// Reads at another time.
    #[must_use]
    pub fn reading(self, reading: Reading) -> Self {
        Self { reading, ..self }
    }

    /// Whether it means to cut the stream short.
    pub fn cuts(&self) -> bool {
        self.ending != Ending::Clean
    }
}
