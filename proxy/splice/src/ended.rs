//! How a connection ended, in words for the log.

use std::io;

use rustls::AlertDescription;

/// Which side of the gateway: who connected to us, or whom we connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The client, who connected to us.
    Downstream,
    /// The endpoint, to whom we connected.
    Upstream,
}

impl End {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Downstream => Self::Upstream,
            Self::Upstream => Self::Downstream,
        }
    }
}

/// How a splice ended, for the log.
#[derive(Debug)]
pub struct Ended {
    /// The first thing that ended it.
    pub cause: Cause,
    /// Whether every byte accepted from either side was acknowledged by the other side's TCP, or its direction
    /// finished cleanly and the kernel has the rest. `false` means that somebody may miss bytes (and saw RST).
    pub delivered: bool,
    /// Whether a TLS side ended without close_notify and
    /// [`MissingCloseNotify::Fin`](crate::MissingCloseNotify::Fin) let it pass as clean.
    pub forgave_missing_close_notify: bool,
    /// Whether downstream had ended its direction cleanly by then.
    pub downstream_finished: bool,
    /// Whether upstream had ended its direction cleanly by then.
    pub upstream_finished: bool,
}

/// Why a splice ended. Anything but [`Cause::Clean`] reached whoever was still there as RST.
#[derive(Debug)]
pub enum Cause {
    /// Both directions ended with FIN or close_notify.
    Clean,
    /// This TLS side sent FIN without close_notify (RFC 8446 §6.1).
    Truncated(End),
    /// This side reset the connection.
    Reset(End),
    /// This TLS side sent a fatal alert.
    Alert(End, AlertDescription),
    /// This TLS side broke the protocol (a bad record, an unexpected message), or its keys wore out under TLS 1.2.
    Protocol(End, rustls::Error),
    /// Reading from or writing to this side failed otherwise, for instance by `ETIMEDOUT`.
    Io(End, io::Error),
    /// No byte moved either way for [`Options::idle`](crate::Options::idle).
    Idle,
    /// No byte moved for [`Options::half_close`](crate::Options::half_close) after one direction had ended.
    HalfCloseIdle,
    /// The other side had ended cleanly, but this side took nothing of the rest, or of the close_notify, for
    /// [`Options::flush`](crate::Options::flush).
    FlushTimeout(End),
    /// Somebody outside decided it: see [`Cut`](crate::Cut).
    Cut,
}

impl Cause {
    /// What a failed read or write at this end means.
    pub(crate) fn of_io(end: End, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => Self::Reset(end),
            _ => Self::Io(end, error),
        }
    }
}

/// What went wrong while reading a side; the half that was reading knows which.
#[derive(Debug)]
pub(crate) enum Fault {
    Truncated,
    Tls(rustls::Error),
    Io(io::Error),
}

impl Fault {
    pub(crate) fn at(self, end: End) -> Cause {
        match self {
            Self::Truncated => Cause::Truncated(end),
            Self::Tls(rustls::Error::AlertReceived(alert)) => Cause::Alert(end, alert),
            Self::Tls(error) => Cause::Protocol(end, error),
            Self::Io(error) => Cause::of_io(end, error),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
