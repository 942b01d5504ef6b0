//! Socket options, all in one place.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use landbridge_core::config::Timeouts;
use landbridge_splice::arm_reset;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

use crate::error::{Error, Kind};

/// The accept queue; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// Listens on every address, or on none.
pub(crate) fn listen_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Error> {
    addresses
        .iter()
        .map(|&address| listen(address).map_err(|source| Kind::Listen { address, source }.into()))
        .collect()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // The unspecified address is dual stack; any other is what it says.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sets what every proxied connection has, on either side: no delay for small writes, keepalive, a
/// bound on unacknowledged data, and a reset instead of a FIN unless the end is proven clean.
pub(crate) fn tune(tcp: &TcpStream, timeouts: &Timeouts) -> io::Result<()> {
    arm_reset(tcp)?;
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    if let Some(time) = timeouts.keepalive {
        let keepalive = TcpKeepalive::new()
            .with_time(time)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    #[cfg(target_os = "linux")]
    if timeouts.user_timeout.is_some() {
        socket.set_tcp_user_timeout(timeouts.user_timeout)?;
    }
    Ok(())
}
