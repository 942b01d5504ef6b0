//! Which connection comes next: all of it follows from its number.

use std::time::Duration;

use landbridge_streams::{PACE, Plan, Plans, Reading, Scenario};

use super::service::Service;
use super::strangers::Stranger;

/// The services whose ends nobody kills and that everybody who is known may call.
pub(super) const COMMON: [Service; 3] = [Service::Terminated, Service::PassedThrough, Service::Raw];

/// What plans follow from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mix {
    /// The seed of everything.
    pub(super) run: u64,
    /// How many bytes each end sends, on average.
    pub(super) mean: u64,
    /// How long the load is to last.
    pub(super) time: Duration,
}

/// A connection to be made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Next {
    Probe,
    Stranger(Stranger),
    Exchange(Exchange),
}

/// A connection both whose streams are checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange {
    pub(super) service: Service,
    pub(super) name: &'static str,
    pub(super) plans: Plans,
}

impl Mix {
    /// Of 100: 5 probes, 10 strangers, 2 with a queue on the way, the rest all other scenarios in turn.
    pub(super) fn next(self, number: u64) -> Option<Next> {
        Some(match number % 100 {
            7 | 27 | 47 | 67 | 87 => Next::Probe,
            rest if rest % 10 == 2 => Next::Stranger(among(&Stranger::ALL, number / 10)?),
            0 | 50 => Next::Exchange(self.queue(number / 50, number)?),
            _ => {
                let pair = among(&pairs(|scenario| !scenario.is_queued()), number)?;
                Next::Exchange(self.planned(pair, number))
            }
        })
    }

    /// A clean connection to each service.
    pub(super) fn clean(self, first: u64) -> impl Iterator<Item = (u64, Exchange)> {
        let pairs = pairs(|scenario| scenario == Scenario::Clean);
        (first..).zip(pairs).map(move |(number, pair)| (number, self.planned(pair, number)))
    }

    /// A stream each way that carries data as long as all of this lasts.
    pub(super) fn steady(self, number: u64) -> Option<Exchange> {
        let plan = Plan::clean(PACE * (self.time.as_secs() + 1)).paced();
        let plans = Plans { client: plan, endpoint: plan };
        Some(Exchange { service: among(&COMMON, number)?, name: "steady", plans })
    }

    /// Behind whom the stream queues up: a scenario, or who reads slowly.
    fn queue(self, nth: u64, number: u64) -> Option<Exchange> {
        if !nth.is_multiple_of(2) {
            return Some(self.planned(among(&pairs(Scenario::is_queued), nth / 2)?, number));
        }
        // So much that it takes a while, but not longer than everything else.
        let much = 4 * PACE * (self.time.as_secs() / 4).clamp(1, 13);
        let (slow, quick) = (Plan::clean(1000).reading(Reading::Slowly), Plan::clean(much));
        let (name, plans) = if nth.is_multiple_of(4) {
            ("slow client", Plans { client: slow, endpoint: quick })
        } else {
            ("slow endpoint", Plans { client: quick, endpoint: slow })
        };
        Some(Exchange { service: among(&COMMON, nth / 4)?, name, plans })
    }

    fn planned(self, (service, scenario): (Service, Scenario), number: u64) -> Exchange {
        let plans = scenario.plans(service.mode(), self.run, number, self.mean);
        Exchange { service, name: scenario.name(), plans }
    }
}

/// Every simple scenario that is wanted, with every service that it fits.
fn pairs(wanted: fn(Scenario) -> bool) -> Vec<(Service, Scenario)> {
    let scenarios = Scenario::ALL.into_iter().filter(|it| it.is_simple() && wanted(*it));
    scenarios
        .flat_map(|scenario| COMMON.map(|service| (service, scenario)))
        .filter(|(service, scenario)| scenario.fits(service.mode()))
        .collect()
}

fn among<T: Copy>(all: &[T], nth: u64) -> Option<T> {
    all.get(usize::try_from(nth.checked_rem(all.len() as u64)?).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_scenario_comes_up_with_every_service_and_so_does_everybody_else() {
        let mix = Mix { run: 1, mean: 1000, time: Duration::from_secs(60) };
        let (mut exchanges, mut others) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..10_000 {
            match mix.next(number).unwrap() {
                Next::Exchange(Exchange { service, name, .. }) => exchanges.insert((name, service.sni())),
                Next::Stranger(stranger) => others.insert(stranger.name()),
                Next::Probe => others.insert("probe"),
            };
        }
        let slow = ["slow client", "slow endpoint"].map(|name| COMMON.map(|service| (name, service.sni())));
        let simple = pairs(|_| true).into_iter().map(|(service, scenario)| (scenario.name(), service.sni()));
        assert_eq!(exchanges, simple.chain(slow.concat()).collect());
        assert_eq!(others.len(), Stranger::ALL.len() + 1);
    }
}
