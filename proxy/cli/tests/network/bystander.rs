//! Somebody whom a fault is no business of: a stream through the same gateway that must stay exact.

use std::net::SocketAddr;

use landbridge_testkit::client::Sidecar;
use landbridge_testkit::server::{Endpoint, Server};
use landbridge_testkit::soon;
use landbridge_testkit::wire::{Wire, noise};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Duration, MissedTickBehavior, interval};

/// What the bystander asks for.
pub(crate) const NAME: &str = "outbound_.9000_._.bystander.default.svc.cluster.local";
/// How often it asks.
const TICK: Duration = Duration::from_millis(25);
/// How much.
const PIECE: usize = 4096;

/// A stream that goes on in the background, of questions and answers. It runs in the gateway's own namespace,
/// where nothing is impaired.
pub(crate) struct Bystander {
    stop: oneshot::Sender<()>,
    rounds: JoinHandle<u64>,
    endpoint: Server,
}

impl Bystander {
    /// The endpoint that answers it.
    pub(crate) async fn endpoint() -> Server {
        Endpoint::bind().await.echo()
    }

    /// Its service, in the configuration.
    pub(crate) fn service(endpoint: SocketAddr) -> String {
        format!(
            r#"
[[service]]
host = "bystander.default.svc.cluster.local"
port = 9000
allow = [{{ id = "spiffe://cluster.local/ns/default/sa/sleep", from = "cluster-1" }}]
endpoints = [{{ address = "{endpoint}" }}]
"#
        )
    }

    /// Begins, and waits until the first question is answered.
    pub(crate) async fn begin(sidecar: Sidecar, gateway: SocketAddr, endpoint: Server) -> Self {
        let (stop, stopped) = oneshot::channel();
        let mut wire = Wire::secure(&sidecar, gateway, NAME).await;
        ask(&mut wire, 0).await;
        let rounds = tokio::spawn(go_on(wire, stopped));
        Self { stop, rounds, endpoint }
    }

    /// Checks that it was served all the time, and ends it.
    pub(crate) async fn was_not_troubled(self) {
        self.stop.send(()).expect("the bystander is there still");
        let rounds = soon("the bystander", self.rounds).await.expect("the bystander was not troubled");
        assert!(rounds > 0);
        assert_eq!(self.endpoint.accepted(), 1);
    }
}

async fn go_on(mut wire: Wire, mut stopped: oneshot::Receiver<()>) -> u64 {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = 0;
    loop {
        rounds += 1;
        ask(&mut wire, rounds).await;
        tokio::select! {
            _ = &mut stopped => break,
            _ = tick.tick() => {}
        }
    }
    wire.finish().await;
    assert_eq!(wire.end().await, landbridge_testkit::client::Saw::End);
    rounds
}

async fn ask(wire: &mut Wire, round: u64) {
    let question = noise(PIECE, round + 1000);
    wire.send(&question).await;
    assert!(wire.receive(PIECE).await == question, "the answer to question {round} is another");
}
