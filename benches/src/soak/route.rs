//! A service both whose ends are ours, and what became of the connections through it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landbridge_streams::{Caller, Endpoint, Plans, Scenario, Score, Seen, exchange_one, judge};
use tokio::time::timeout;

use super::service::Service;
use crate::verify::Setup;

/// How long an endpoint's record of a guest may come after the guest's.
const AFTERMATH: Duration = Duration::from_secs(5);

/// A service, both whose ends are ours.
pub(super) struct Route {
    pub(super) service: Service,
    pub(super) setup: Setup,
    pub(super) caller: Arc<Caller>,
    /// None where each round of kills has its own.
    pub(super) endpoint: Option<Arc<Endpoint>>,
}

/// What became of connections, by kind.
#[derive(Default)]
pub(super) struct Tally(Mutex<Vec<(String, Score)>>);

impl Route {
    /// A connection that may end as its plans say and in no other way.
    pub(super) async fn exchange(&self, number: u64, plans: Plans) -> Score {
        exchange_one(&self.caller, self.endpoint.as_deref(), number, plans).await
    }

    /// One call of the guest, who says nothing more after a while and waits to be cut.
    pub(super) async fn guest(&self, number: u64, plans: Plans) -> (&'static str, Score) {
        let mut score = Score { connections: 1, ..Score::default() };
        let record = match self.caller.call(number, plans).await {
            Ok(record) => record,
            Err(error) => {
                score.fail(&format!("guest {number}: {error}"));
                return ("guest, refused", score);
            }
        };
        // Whoever is cut is owed nothing; only that no end is false, and that there is one.
        score.add(&record, &judge(None, &record));
        if matches!(record.saw, Seen::Alert(_)) {
            return ("guest, refused", score);
        }
        if let Some(endpoint) = &self.endpoint {
            match timeout(AFTERMATH, endpoint.record(number)).await {
                Ok(other) => score.add(&other, &judge(None, &other)),
                Err(_) => score.missing += 1,
            }
        }
        ("guest, cut", score)
    }
}

impl Tally {
    pub(super) fn add(&self, name: &str, score: Score) {
        let mut rows = self.rows();
        match rows.iter_mut().find(|(row, _)| row == name) {
            Some((_, so_far)) => so_far.merge(score),
            None => rows.push((name.to_owned(), score)),
        }
    }

    /// All rows, the scenarios in their order and the rest behind them.
    pub(super) fn take(&self) -> Vec<(String, Score)> {
        let mut rows = std::mem::take(&mut *self.rows());
        let place = |name: &str| Scenario::ALL.iter().position(|it| it.name() == name).unwrap_or(usize::MAX);
        rows.sort_by_cached_key(|(name, _)| (place(name), name.clone()));
        rows
    }

    fn rows(&self) -> MutexGuard<'_, Vec<(String, Score)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
