//! Socket options, all in one place.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
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
        .map(|&address| {
            let listener = listen(address).or_else(|error| match without_ipv6(address, &error) {
                Some(any) => listen(any),
                None => Err(error),
            });
            listener.map_err(|source| Kind::Listen { address, source }.into())
        })
        .collect()
}

/// Every IPv4 address, where every address was meant and this machine has no IPv6.
fn without_ipv6(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    const EAFNOSUPPORT: i32 = 97;
    let absent =
        error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable;
    let any = address.is_ipv6() && address.ip().is_unspecified();
    (any && absent).then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ipv6_every_address_is_every_ipv4_address() {
        let absent = io::Error::from_raw_os_error(97);
        let any = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 15443));
        assert_eq!(without_ipv6(any, &absent), Some(SocketAddr::from(([0, 0, 0, 0], 15443))));
        assert_eq!(without_ipv6(any, &io::ErrorKind::AddrInUse.into()), None);
        let local = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 15443));
        assert_eq!(without_ipv6(local, &absent), None);
    }
}
