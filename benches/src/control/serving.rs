//! The control server's library on a thread of its own, which can be stopped as a crash would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use landbridge_control_server::{Listener, Nodes, Security, Server, Store};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// A server on loopback.
pub(super) struct Serving {
    server: Arc<Server>,
    /// Where it listens.
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Serves what is in a store, to everybody, at an address; port 0 is a free one.
    pub(super) fn start(store: Arc<Store>, address: SocketAddr) -> anyhow::Result<Self> {
        let server = Server::new("bench", store, Nodes::everybody());
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(address)).context("cannot listen for gateways")?;
        let address = listener.local_addr()?;
        let serves = server.clone();
        let thread = thread::Builder::new().name("server".to_owned()).spawn(move || {
            // What is not finished is dropped with the runtime, connections among it.
            runtime.block_on(async {
                tokio::select! {
                    _served = serves.serve(Listener::Tcp(listener), Security::Plain, std::future::pending()) => {}
                    _stopped = stopped => {}
                }
            });
        })?;
        Ok(Self { server, address, stop: Some(stop), thread: Some(thread) })
    }

    /// A number of its metrics.
    pub(super) fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let text = self.server.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no metric {name}"))?.parse()?)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Nothing is waited for: gateways see their streams break.
        self.stop = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
