//! Refusing a connection so that the client learns why.

use std::io;
use std::time::Duration;

use landbridge_certs::plaintext_alert;
use landbridge_core::Reason;
use landbridge_splice::disarm_reset;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a client may still send after an alert before its connection is reset.
const DISCARDED_BYTES: usize = 256 * 1024;
/// How long a client may take to close after an alert.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection that goes no further.
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// The underlying error, for the log.
    pub(crate) error: Option<String>,
    pub(crate) farewell: Farewell,
}

/// How the client is told.
pub(crate) enum Farewell {
    /// By a reset, which dropping the armed socket is.
    Reset,
    /// By these bytes (a TLS alert), or by an alert that was sent already where they are empty.
    Alert(TcpStream, Vec<u8>),
    /// By these bytes, on a socket that somebody else still holds.
    Unsaid(Vec<u8>),
}

impl Refusal {
    /// A refusal by a reset.
    pub(crate) fn reset(reason: Reason) -> Self {
        Self { reason, error: None, farewell: Farewell::Reset }
    }

    /// A refusal before ServerHello: by the reason's alert in plaintext (RFC 8446 section 6).
    pub(crate) fn before_server_hello(tcp: TcpStream, reason: Reason) -> Self {
        let alert = reason.alert().map(|alert| plaintext_alert(alert).to_vec());
        Self { reason, error: None, farewell: Farewell::Alert(tcp, alert.unwrap_or_default()) }
    }

    /// Tells the client by the plaintext alert that `as_if` has.
    pub(crate) fn told_by(mut self, tcp: TcpStream, as_if: Reason) -> Self {
        self.farewell = Self::before_server_hello(tcp, as_if).farewell;
        self
    }

    pub(crate) fn because(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }
}

impl Farewell {
    /// Tells the client and closes.
    ///
    /// A close with unread bytes in the receive queue is a reset, which may overtake the alert (RFC 1122
    /// section 4.2.2.13). So the alert is followed by a FIN, and what the client had pipelined is read
    /// and discarded, within bounds, until it closes too.
    pub(crate) async fn say(self) {
        if let Self::Alert(mut tcp, alert) = self {
            // Whatever fails here, the connection is over; only how is left open.
            if let Ok(Ok(())) = timeout(FAREWELL, part(&mut tcp, &alert)).await {
                let _ = disarm_reset(&tcp);
            }
        }
    }
}

async fn part(tcp: &mut TcpStream, alert: &[u8]) -> io::Result<()> {
    tcp.write_all(alert).await?;
    tcp.shutdown().await?;
    let mut discarded = 0;
    let mut scratch = [0; 4096];
    while discarded < DISCARDED_BYTES {
        match tcp.read(&mut scratch).await? {
            0 => return Ok(()),
            count => discarded += count,
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}
