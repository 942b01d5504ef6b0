//! Whether endpoints resolve, may be reached by the rules, and answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use landbridge::config::{AddressRules, Config};
use landbridge::service::{Service, Target};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::report::Report;

/// How long a name or an endpoint may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many are asked at once.
const AT_ONCE: usize = 64;
/// How many endpoints that do not answer are named for a service.
const NAMED: usize = 3;

/// What came of asking one endpoint: how many of its addresses answer, and what the others said.
#[derive(Debug, Default)]
struct Reached {
    answering: usize,
    silent: Vec<String>,
}

pub(super) async fn check(report: &mut Report, config: &Config) {
    let services = config.services.sorted();
    let targets: BTreeSet<&Target> =
        services.iter().flat_map(|service| &service.endpoints).map(|endpoint| &endpoint.target).collect();
    let rules = Arc::new(config.gateway.endpoints.clone());
    let mut waiting = targets.into_iter().cloned();
    let mut running = JoinSet::new();
    let mut reached = BTreeMap::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(target) = waiting.next()
        {
            let rules = rules.clone();
            running.spawn(async move {
                let found = reach(&target, &rules).await;
                (target, found)
            });
        }
        let Some(done) = running.join_next().await else { break };
        // A task that panicked is missing among the answers, and told as silent.
        reached.extend(done);
    }
    for service in services {
        judge(report, service, &reached);
    }
}

async fn reach(target: &Target, rules: &AddressRules) -> Reached {
    let mut reached = Reached::default();
    let addresses: Vec<SocketAddr> = match target {
        Target::Address(address) => vec![*address],
        Target::Host(host) => match timeout(PATIENCE, lookup_host((&*host.host, host.port))).await {
            Ok(Ok(found)) => {
                let (allowed, forbidden): (Vec<_>, Vec<_>) =
                    found.map(|address| (address, rules.check(address))).partition(|(_, rule)| rule.is_ok());
                let why = forbidden.into_iter().filter_map(|(_, rule)| rule.err());
                reached.silent.extend(why.map(|error| format!("{}: {error}", host.host)));
                allowed.into_iter().map(|(address, _)| address).collect()
            }
            Ok(Err(error)) => {
                reached.silent.push(format!("{} does not resolve: {error}", host.host));
                Vec::new()
            }
            Err(_) => {
                reached.silent.push(format!("{} does not resolve within {PATIENCE:?}", host.host));
                Vec::new()
            }
        },
    };
    for address in addresses {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => reached.answering += 1,
            Ok(Err(error)) => reached.silent.push(format!("{address}: {error}")),
            Err(_) => reached.silent.push(format!("{address}: no answer within {PATIENCE:?}")),
        }
    }
    reached
}

fn judge(report: &mut Report, service: &Service, reached: &BTreeMap<Target, Reached>) {
    const ADVICE: &str =
        "does anything listen there, and may this machine reach it (firewall, network policy)?";
    let what = &*service.name;
    if service.endpoints.is_empty() {
        report.warn(what, "has no endpoint", "callers are refused with alert 80 until it has one");
        return;
    }
    let (mut answering, mut silent) = (0, Vec::new());
    for endpoint in &service.endpoints {
        match reached.get(&endpoint.target) {
            Some(found) => {
                answering += found.answering;
                silent.extend(found.silent.iter().map(String::as_str));
            }
            None => silent.push("an endpoint could not be asked"),
        }
    }
    let all = answering + silent.len();
    let mut detail = format!("{answering} of {all} endpoints answer");
    if silent.is_empty() {
        report.ok(what, detail);
        return;
    }
    let named: Vec<&str> = silent.iter().copied().take(NAMED).collect();
    detail = format!("{detail}; {}", named.join("; "));
    if silent.len() > NAMED {
        detail = format!("{detail}; and {} more", silent.len() - NAMED);
    }
    if answering == 0 {
        report.fail(what, detail, ADVICE);
    } else {
        report.warn(what, detail, ADVICE);
    }
}
