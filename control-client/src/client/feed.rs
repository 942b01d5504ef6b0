//! The owner's end of a client.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};

use super::ClientError;
use crate::session::{Event, RemovedResource};
use crate::wire::{Refused, Status};

/// What the owner of a [`Client`](super::Client) hears of, and what it answers.
///
/// Dropping it ends the client.
#[derive(Debug)]
pub struct Feed {
    events: mpsc::Receiver<Event>,
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<State>,
}

/// What the owner says to the client. What is held has changed once the other end of [`Done`] is told.
#[derive(Debug)]
pub(super) enum Order {
    Answer(Vec<Refused>, Done),
    Removed(Vec<RemovedResource>, Done),
    Status(Status),
}

pub(super) type Done = oneshot::Sender<()>;

/// How a client is, for whoever looks at the gateway.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The stream that is open.
    pub connected: Option<Connected>,
    /// When an update came into force last.
    pub last_update: Option<Instant>,
    /// How often a stream ended, or couldn't be had.
    pub failures: u64,
    /// How it was the last time.
    pub last_failure: Option<Failure>,
    /// Bytes of lines from servers, over all streams. Who waits for a change isn't woken by this one alone.
    pub received: u64,
    /// Bytes of lines to servers, likewise.
    pub sent: u64,
}

/// A stream that is open.
#[derive(Debug, Clone)]
pub struct Connected {
    /// To which server, by its authority.
    pub server: String,
    /// Since when.
    pub since: Instant,
}

/// How a stream ended.
#[derive(Debug, Clone)]
pub struct Failure {
    /// To which server, by its authority.
    pub server: String,
    /// When.
    pub at: Instant,
    /// Why.
    pub error: Arc<ClientError>,
}

impl Feed {
    pub(super) fn new(
        events: mpsc::Receiver<Event>,
        orders: mpsc::Sender<Order>,
        state: watch::Receiver<State>,
    ) -> Self {
        Self { events, orders, state }
    }

    /// The next event; `None` once the client is gone.
    ///
    /// After [`Event::Update`] no other update comes before [`Feed::answer`].
    ///
    /// # Cancel safety
    /// No event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The last update is in force, but for what is refused here. When this returns, what is held has changed with it.
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may have answered or not.
    pub async fn answer(&self, refused: Vec<Refused>) {
        let (done, told) = oneshot::channel();
        self.order(Order::Answer(refused, done)).await;
        let _gone = told.await;
    }

    /// What was refused to be removed is removed after all; when this returns, from what is held as well.
    ///
    /// # Cancel safety
    /// As [`Feed::answer`].
    pub async fn removed(&self, removed: Vec<RemovedResource>) {
        let (done, told) = oneshot::channel();
        self.order(Order::Removed(removed, done)).await;
        let _gone = told.await;
    }

    /// How the gateway is; said to the server at most every 5 s, and to nobody while there is no stream. After
    /// [`Event::Welcome`] all of it is news.
    pub async fn status(&self, status: Status) {
        self.order(Order::Status(status)).await;
    }

    /// How the client is, to look at or to wait for.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    async fn order(&self, order: Order) {
        // If the client is gone, `next` says so.
        let _gone = self.orders.send(order).await;
    }
}
