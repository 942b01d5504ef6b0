//! The stream of configuration in a gateway process: a thread of its own that keeps the stream, judges what comes of it,
//! puts it in force, and keeps the last good state on disk.
//!
//! What the file says is the base: reloads and renewed certificates come to the stream's owner, which puts its own part on
//! top and hands the whole to the gateway, so that there is one change at a time and one place where both meet.

mod begin;
mod disk;
mod merged;
mod owner;
mod tls;
mod told;

use std::sync::Arc;
use std::thread;

use anyhow::Context as _;
use landbridge::{Desired, Handle};
use landbridge_admin::{Confirmed, Metrics};
use landbridge_control_client::client::{Client, Config};
use landbridge_control_client::session::Limits;
use landbridge_control_client::wire;
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::begin::{Beginning, begin};
use self::owner::Owner;

/// Confirmations that wait; who sends more is told so.
const ORDERS: usize = 4;

/// A stream that is kept.
pub(crate) struct Stream {
    /// What the file says, whenever that changes.
    pub(crate) base: watch::Sender<Desired>,
    /// How it is, for whoever asks.
    pub(crate) told: watch::Receiver<Arc<Value>>,
    /// Whether there is a complete configuration, from a server or from disk.
    pub(crate) complete: watch::Receiver<bool>,
    orders: mpsc::Sender<oneshot::Sender<Confirmed>>,
    disk: Arc<disk::Disk>,
}

impl Stream {
    /// Starts the thread. From now on what the gateway serves comes by `updates` from there alone.
    ///
    /// # Errors
    /// A thread or a runtime that can't be had.
    pub(crate) fn start(
        beginning: Beginning,
        gateway: Handle,
        updates: watch::Sender<Desired>,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let (base, based) = watch::channel(beginning.base.clone());
        let (orders, ordered) = mpsc::channel(ORDERS);
        let (tell, told) = watch::channel(Arc::new(Value::Null));
        let (completed, complete) = watch::channel(beginning.complete);
        let disk = beginning.disk.clone();
        let node = gateway.node();
        let node = wire::Node {
            id: node.id.clone().unwrap_or_default(),
            cluster: node.cluster.clone(),
            network: node.network.clone(),
            version: crate::version::BUILD.version.to_owned(),
            ..wire::Node::default()
        };
        let servers = tls::servers(&beginning.control, &based);
        let config = Config { node, servers: servers?, limits: Limits::default() };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the stream's runtime")?;
        let thread = thread::Builder::new().name("stream".to_owned()).spawn(move || {
            let (client, feed) = Client::new(config, beginning.held.clone());
            let owner = Owner::new(
                beginning,
                owner::Wires { feed, based, ordered, updates, gateway, metrics, tell, completed },
            );
            runtime.block_on(async {
                tokio::select! {
                    () = client.run() => {}
                    () = owner.run() => {}
                }
            });
        });
        thread.context("cannot start the stream's thread")?;
        Ok(Self { base, told, complete, orders, disk })
    }

    /// Puts in force what is held back; the answer comes by `told`.
    pub(crate) fn confirm(&self, told: oneshot::Sender<Confirmed>) {
        // Whoever asks too often hears that nobody answers.
        let _full = self.orders.try_send(told);
    }

    /// Notes that the process ends because it was asked to.
    pub(crate) fn ends(&self) {
        self.disk.healthy();
    }
}
