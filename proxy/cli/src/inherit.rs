//! Listening sockets that are there before this process is: whoever starts it passes them on, as systemd does for a
//! socket unit (sd_listen_fds(3)). They outlive the process, so that nobody is refused between one and the next.

use std::net::TcpListener;

use anyhow::{Context, ensure};
use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use rustix::process::getpid;

/// Takes them; none where none were passed on, or were meant for another process.
///
/// To be called before any thread is started: it removes the variables that tell of them from the environment.
///
/// # Errors
/// One that is no TCP socket, or does not listen.
pub(crate) fn inherited() -> anyhow::Result<Vec<TcpListener>> {
    #[expect(clippy::disallowed_methods, reason = "the binary may read its environment")]
    let meant_for = std::env::var("LISTEN_PID").ok().and_then(|pid| pid.parse().ok());
    if meant_for != Some(getpid().as_raw_nonzero().get()) {
        return Ok(Vec::new());
    }
    let mut passed_on = ListenFd::from_env();
    let mut listeners = Vec::with_capacity(passed_on.len());
    for index in 0..passed_on.len() {
        let told = || format!("the socket {} that was passed on (LISTEN_FDS)", index + 1);
        let taken = passed_on.take_tcp_listener(index).with_context(told)?;
        let listener = taken.with_context(told)?;
        let listens = socket_acceptconn(&listener).with_context(told)?;
        ensure!(listens, "{} does not listen; expected ListenStream= with a port, and Accept=no", told());
        listeners.push(listener);
    }
    Ok(listeners)
}
