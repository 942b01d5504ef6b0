//! Socket options, all in one place.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use landbridge_core::config::Timeouts;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpSocket, TcpStream};

use crate::error::{Error, Kind};

/// The accept queue; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
const PROBES: u32 = 3;
/// From one keepalive probe to the next, at most. The kernel counts in whole seconds.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);
/// How much waits in the kernel for a peer whose window is shut or full. Left to itself the kernel takes as much as
/// the third value of net.ipv4.tcp_wmem, 4 MiB, from an endpoint that is fast for each client that is slow.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

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

/// Readies a listening socket: on Linux whatever it accepts begins with its options, a reset for an end included, so
/// that they cost no connection a system call.
///
/// A socket that somebody else made and may take back keeps them.
pub(crate) fn ready(listener: &TcpListener, timeouts: &Timeouts) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    if INHERITED { set(&SockRef::from(listener), timeouts) } else { Ok(()) }
}

/// Sets what an accepted connection has not inherited: all of it, where it came before its listening socket was ready.
pub(crate) fn accepted(tcp: &TcpStream, timeouts: &Timeouts) -> io::Result<()> {
    let socket = SockRef::from(tcp);
    if INHERITED && socket.linger()? == Some(Duration::ZERO) { Ok(()) } else { set(&socket, timeouts) }
}

/// A socket to call an endpoint from, which ends in a reset whatever happens.
pub(crate) fn outgoing(address: SocketAddr, timeouts: &Timeouts) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    set(&SockRef::from(&socket), timeouts)?;
    Ok(socket)
}

/// Linux copies a listening socket's options to what is accepted from it (sk_clone in net/core/sock.c); others differ
/// in which.
const INHERITED: bool = cfg!(target_os = "linux");

/// Sets what every proxied connection has, on either side: no delay for small writes, keepalive, a
/// bound on the time that data is unacknowledged and on what waits to be sent, and a reset instead of a FIN unless
/// the end is proven clean.
fn set(socket: &SockRef<'_>, timeouts: &Timeouts) -> io::Result<()> {
    // First of all, and as `landbridge_splice::arm_reset` does: a descriptor that is dropped leaves no FIN.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    if let Some((time, interval)) = probing(timeouts) {
        let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(PROBES);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_notsent_lowat(UNSENT)?;
        if timeouts.user_timeout.is_some() {
            socket.set_tcp_user_timeout(timeouts.user_timeout)?;
        }
    }
    Ok(())
}

/// How long a connection is silent before it is probed, and how long each probe may take to be answered.
///
/// TCP_USER_TIMEOUT overrides the number of probes (tcp(7)): a connection that was silent for so long ends with
/// the first probe that is not answered. Whatever was configured, the probes therefore begin early enough for all
/// of them to be lost before that, so that one lost packet is not the end of an idle connection.
fn probing(timeouts: &Timeouts) -> Option<(Duration, Duration)> {
    let time = timeouts.keepalive?;
    let Some(limit) = timeouts.user_timeout else { return Some((time, PROBE_INTERVAL)) };
    let whole = |span: Duration| Duration::from_secs(span.as_secs()).max(SECOND);
    let interval = whole(limit / (2 * PROBES)).min(PROBE_INTERVAL);
    Some((time.min(whole(limit.saturating_sub(interval * PROBES))), interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_accepted_and_what_calls_an_endpoint_have_every_option_from_the_start() {
        let timeouts = Timeouts {
            keepalive: Some(Duration::from_secs(37)),
            user_timeout: Some(Duration::from_secs(90)),
            ..Timeouts::default()
        };
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listening.local_addr().unwrap();
        let _queued = std::net::TcpStream::connect(address).unwrap();
        ready(&listening, &timeouts).unwrap();
        let listener = tokio::net::TcpListener::from_std(listening).unwrap();
        let calling = outgoing(address, &timeouts).unwrap().connect(address).await.unwrap();
        let (early, _) = listener.accept().await.unwrap();
        let (answering, _) = listener.accept().await.unwrap();
        assert_eq!(SockRef::from(&early).linger().unwrap(), None, "it came before the options");
        #[cfg(target_os = "linux")]
        assert_eq!(SockRef::from(&answering).linger().unwrap(), Some(Duration::ZERO));
        for tcp in [&early, &answering] {
            accepted(tcp, &timeouts).unwrap();
        }
        for tcp in [&calling, &early, &answering] {
            let socket = SockRef::from(tcp);
            assert_eq!(socket.linger().unwrap(), Some(Duration::ZERO));
            assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(37));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_INTERVAL);
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
            #[cfg(target_os = "linux")]
            {
                assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT);
                assert_eq!(socket.tcp_user_timeout().unwrap(), timeouts.user_timeout);
            }
        }
    }

    #[test]
    fn every_probe_is_sent_before_the_user_timeout() {
        let probing = |keepalive, user_timeout: u64| {
            let user_timeout = (user_timeout > 0).then(|| Duration::from_secs(user_timeout));
            let timeouts = Timeouts {
                keepalive: Some(Duration::from_secs(keepalive)),
                user_timeout,
                ..Timeouts::default()
            };
            probing(&timeouts).map(|(time, interval)| (time.as_secs(), interval.as_secs()))
        };
        // The defaults; longer; shorter; the shortest that three probes fit into; shorter still; none.
        assert_eq!(probing(60, 60), Some((30, 10)));
        assert_eq!(probing(60, 120), Some((60, 10)));
        assert_eq!(probing(60, 20), Some((11, 3)));
        assert_eq!(probing(60, 4), Some((1, 1)));
        assert_eq!(probing(60, 1), Some((1, 1)));
        assert_eq!(probing(60, 0), Some((60, 10)));
        for limit in 4..200 {
            let (time, interval) = probing(3600, limit).unwrap();
            assert!(time >= 1 && interval >= 1 && time + u64::from(PROBES) * interval <= limit, "{limit}");
        }
        assert_eq!(super::probing(&Timeouts { keepalive: None, ..Timeouts::default() }), None);
    }

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
