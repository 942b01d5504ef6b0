//! What the gateway asks of a socket beyond std: abortive close and what the peer hasn't acknowledged yet.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

/// Makes every later close of this socket a RST: `SO_LINGER {1, 0}`.
///
/// The kernel keeps the promise by itself from then on: a dropped future, a panicking task and a killed process
/// all end in RST, never in a FIN that nobody meant. Bytes not yet acknowledged are thrown away by such a close.
///
/// # Errors
/// Those of `setsockopt(2)`; none is expected of a connected TCP socket.
pub fn arm_reset(tcp: &TcpStream) -> io::Result<()> {
    SockRef::from(tcp).set_linger(Some(Duration::ZERO))
}

/// Takes [`arm_reset`] back: a later close sends what is queued, then FIN, in the background.
///
/// # Errors
/// Those of `setsockopt(2)`; none is expected of a connected TCP socket.
pub fn disarm_reset(tcp: &TcpStream) -> io::Result<()> {
    SockRef::from(tcp).set_linger(None)
}

/// Says how many bytes written to this socket its peer's TCP hasn't acknowledged (`SIOCOUTQ`, tcp(7)).
///
/// A FIN that was sent counts as one. Zero means that the peer's kernel has everything, not that its application
/// has read it. After a reset by the peer the number stays what it was. Where the platform has no such question
/// (anything but Linux) the answer is always `Ok(0)`: there a reset may overtake bytes still in flight.
///
/// # Errors
/// Those of `ioctl(2)`; none is expected of a TCP socket that isn't listening.
#[cfg(target_os = "linux")]
pub fn unacknowledged(tcp: &TcpStream) -> io::Result<usize> {
    use rustix::ioctl::{Getter, Opcode, ioctl};

    /// `SIOCOUTQ` is `TIOCOUTQ` (linux/sockios.h); this value on x86-64 and arm64 alike.
    const SIOCOUTQ: Opcode = 0x5411;

    // SAFETY: the kernel answers SIOCOUTQ by writing exactly one C int through the pointer (tcp_ioctl in
    // net/ipv4/tcp.c), and `Getter` passes a pointer to room for one `i32`.
    let getter = unsafe { Getter::<SIOCOUTQ, i32>::new() };
    // SAFETY: the opcode and its output type fit each other, as above; the descriptor is borrowed from a live
    // stream and the request changes no state.
    let queued = unsafe { ioctl(tcp, getter) }?;
    Ok(usize::try_from(queued).unwrap_or(0))
}

/// Says how many bytes written to this socket its peer's TCP hasn't acknowledged: unknown here, so always zero.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn unacknowledged(_tcp: &TcpStream) -> io::Result<usize> {
    Ok(0)
}
