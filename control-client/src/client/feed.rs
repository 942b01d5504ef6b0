//! The owner's end of a client.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

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

/// What the owner says to the client.
#[derive(Debug)]
pub(super) enum Order {
    Answer(Vec<Refused>),
    Removed(Vec<RemovedResource>),
    Status(Status),
}

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

    /// The last update is in force, but for what is refused here. What is held changes with it, soon.
    pub async fn answer(&self, refused: Vec<Refused>) {
        self.order(Order::Answer(refused)).await;
    }

    /// What was refused to be removed is removed after all.
    pub async fn removed(&self, removed: Vec<RemovedResource>) {
        self.order(Order::Removed(removed)).await;
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
