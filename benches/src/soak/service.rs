//! The services of the gateway whose ends are ours.

use landbridge_streams::Mode;

/// A service of the gateway, with an endpoint of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Terminated,
    PassedThrough,
    Raw,
    /// Whose ends are killed.
    Mortal,
    /// Which the guest may call at times.
    Guest,
}

impl Service {
    pub(super) const ALL: [Self; 5] =
        [Self::Terminated, Self::PassedThrough, Self::Raw, Self::Mortal, Self::Guest];

    pub(super) fn sni(self) -> &'static str {
        match self {
            Self::Terminated => "terminated.example",
            Self::PassedThrough => "passed-through.example",
            Self::Raw => "raw.example",
            Self::Mortal => "mortal.example",
            Self::Guest => "guest.example",
        }
    }

    pub(super) fn mode(self) -> Mode {
        match self {
            Self::Terminated | Self::Mortal | Self::Guest => Mode::Terminate,
            Self::PassedThrough => Mode::Passthrough,
            Self::Raw => Mode::Raw,
        }
    }
}
