//! Both ends of many connections: a caller, an endpoint, and what became of each stream between them.

mod caller;
mod endpoint;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;

use crate::judge::judge;
use crate::plan::Plans;
use crate::record::Record;
use crate::rng::mix;
use crate::scenario::Scenario;
use crate::score::Score;

pub use caller::Caller;
pub use endpoint::Endpoint;

/// What the gateway does with the client's TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It ends at the gateway; the endpoint gets plain text.
    Terminate,
    /// It ends at the endpoint.
    Passthrough,
    /// There is none, but for the ClientHello by which the gateway finds the way.
    Raw,
}

/// Which connections there are to be.
#[derive(Debug, Clone)]
pub struct Load {
    /// How they end; each draws one of these.
    pub scenarios: Vec<Scenario>,
    /// The number of the first.
    pub first: u64,
    /// How many.
    pub connections: u64,
    /// How many at once.
    pub concurrency: u64,
    /// How many bytes each end sends, about.
    pub mean: u64,
}

impl Mode {
    /// In the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Terminate, Self::Passthrough, Self::Raw];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Passthrough => "passthrough",
            Self::Raw => "raw",
        }
    }
}

impl Load {
    /// The scenario of a connection.
    pub fn scenario(&self, run: u64, connection: u64) -> Option<Scenario> {
        let drawn = mix(mix(run ^ 0x7363_656e) ^ connection).checked_rem(self.scenarios.len() as u64)?;
        self.scenarios.get(usize::try_from(drawn).ok()?).copied()
    }

    fn numbers(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.connections
    }
}

/// Makes all connections of a load and judges every stream that is received in this process.
///
/// Without an endpoint of ours, that is those to the client.
pub async fn exchange(caller: &Arc<Caller>, endpoint: Option<&Arc<Endpoint>>, load: &Load) -> Score {
    let next = Arc::new(AtomicU64::new(load.first));
    let mut workers = JoinSet::new();
    for _ in 0..load.concurrency.clamp(1, load.connections.max(1)) {
        let (caller, endpoint, load, next) = (caller.clone(), endpoint.cloned(), load.clone(), next.clone());
        workers.spawn(async move {
            let mut score = Score::default();
            loop {
                let connection = next.fetch_add(1, Ordering::Relaxed);
                if !load.numbers().contains(&connection) {
                    return score;
                }
                if let Some(scenario) = load.scenario(caller.run, connection) {
                    let plans = scenario.plans(caller.mode, caller.run, connection, load.mean);
                    score.merge(exchange_one(&caller, endpoint.as_deref(), connection, plans).await);
                }
            }
        });
    }
    let mut score = Score::default();
    while let Some(worked) = workers.join_next().await {
        match worked {
            Ok(part) => score.merge(part),
            Err(error) => score.fail(&format!("the checker itself failed: {error}")),
        }
    }
    score
}

/// Makes one connection and judges both its streams, or the one to the client without an endpoint of ours.
pub async fn exchange_one(
    caller: &Caller,
    endpoint: Option<&Endpoint>,
    connection: u64,
    plans: Plans,
) -> Score {
    let mut score = Score { connections: 1, ..Score::default() };
    let client = match caller.call(connection, plans).await {
        Ok(client) => client,
        Err(error) => {
            score.fail(&format!("connection {connection}: {error}"));
            return score;
        }
    };
    let Some(endpoint) = endpoint else {
        score.add(&client, &judge(None, &client));
        return score;
    };
    // What the gateway has queued may come much later than the client's end, above all on a busy machine.
    let server = endpoint.record_if_heard(connection, caller.patience).await;
    score.add(&client, &judge(server.as_ref().map(Record::sent), &client));
    match server {
        Some(server) => score.add(&server, &judge(Some(client.sent()), &server)),
        None => score.lost_whole(&client),
    }
    score
}
