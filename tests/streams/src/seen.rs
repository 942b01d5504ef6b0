//! How the other side's stream ended, as its receiver saw it.

use std::fmt;

/// How a stream ended, as its receiver saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// close_notify where there is TLS, FIN where there is none.
    Clean,
    /// FIN without close_notify, on TLS.
    BareFin,
    /// RST.
    Reset,
    /// FIN and then RST, both before the receiver looked; a quicker one would have taken it for a clean end.
    FinThenReset,
    /// A fatal alert.
    Alert(u8),
    /// A record that is not authentic, or another fault of TLS.
    Broken,
    /// Nothing more came, and no end either.
    Silence,
    /// The receiver itself left before there was an end.
    Left,
}

impl Seen {
    /// Whether a receiver may take it for the end of the stream.
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Clean | Self::FinThenReset)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean end"),
            Self::BareFin => f.write_str("FIN without close_notify"),
            Self::Reset => f.write_str("RST"),
            Self::FinThenReset => f.write_str("FIN, then RST"),
            Self::Alert(number) => write!(f, "alert {number}"),
            Self::Broken => f.write_str("broken TLS"),
            Self::Silence => f.write_str("nothing"),
            Self::Left => f.write_str("not waited for"),
        }
    }
}
