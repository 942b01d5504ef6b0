//! Accepting connections: admits and spawns; never handshakes, never exits on an error of one
//! connection, never spins.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use landbridge_core::Reason;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Accepted;
use crate::record::Record;
use crate::shared::Shared;
use crate::{connection, socket};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// So many errors of single connections one after the other are not about those connections: a security module,
/// for one, may refuse each accept and leave the connection where it is.
const IN_A_ROW: u32 = 64;

/// Accepts until `stop`, then takes what is queued already, so that no connection which the kernel had
/// completed is lost, and closes the listener.
pub(crate) async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    connections: TaskTracker,
    stop: CancellationToken,
) {
    let mut pause = FIRST_PAUSE;
    let mut passed_over = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, remote)) => {
                (pause, passed_over) = (FIRST_PAUSE, 0);
                admit(&shared, tcp, remote, &connections);
            }
            Err(error) if is_about_one_connection(&error) && passed_over < IN_A_ROW => passed_over += 1,
            Err(error) => {
                tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept; trying again");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
    take_queued(&shared, listener, &connections);
}

fn take_queued(shared: &Arc<Shared>, listener: TcpListener, connections: &TaskTracker) {
    let Ok(listener) = listener.into_std() else { return };
    let mut passed_over = 0;
    loop {
        match listener.accept() {
            Ok((tcp, remote)) => {
                if tcp.set_nonblocking(true).is_ok()
                    && let Ok(tcp) = TcpStream::from_std(tcp)
                {
                    admit(shared, tcp, remote, connections);
                }
            }
            Err(error) if is_about_one_connection(&error) && passed_over < IN_A_ROW => passed_over += 1,
            Err(_) => break,
        }
    }
}

/// Errors that accept(2) passes on from the connection it was about to return.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::PermissionDenied
    )
}

fn admit(shared: &Arc<Shared>, tcp: TcpStream, remote: SocketAddr, connections: &TaskTracker) {
    shared.counters.accepted.fetch_add(1, Ordering::Relaxed);
    let ready = tcp.local_addr().and_then(|local| {
        socket::accepted(&tcp, &shared.config.timeouts)?;
        Ok(local)
    });
    match (ready, room(shared)) {
        (Ok(local), Ok(admission)) => {
            let accepted = Accepted { tcp, remote, local, admission };
            connections.spawn(connection::run(shared.clone(), accepted));
        }
        // Refused before anything is spent on it; the armed socket resets as it is dropped.
        (Ok(local), Err(reason)) => turn_away(shared, (remote, local), reason, None),
        // The client is gone already.
        (Err(error), _) => {
            let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
            turn_away(shared, (remote, unknown), Reason::HandshakeReset, Some(error.to_string()));
        }
    }
}

/// Whether there is room for one more.
fn room(shared: &Shared) -> Result<OwnedSemaphorePermit, Reason> {
    if shared.pressure.refuses() {
        return Err(Reason::Overload);
    }
    if shared.admission.is_too_fast(shared.epoch.elapsed()) {
        return Err(Reason::RateLimit);
    }
    shared.connections.clone().try_acquire_owned().map_err(|_| Reason::ConnectionLimit)
}

/// Reports a connection that goes no further than this.
fn turn_away(
    shared: &Arc<Shared>,
    (remote, local): (SocketAddr, SocketAddr),
    reason: Reason,
    error: Option<String>,
) {
    let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
    let registered = shared.registry.register(id);
    Record::new(shared, &registered.live, remote, local).finish(reason, error);
}
