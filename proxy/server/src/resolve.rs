//! Host names of endpoints: resolved off the data path, all addresses, the last good answer kept.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landbridge_core::config::AddressRules;
use landbridge_core::service::HostPort;
use landbridge_core::table::Answers;
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How often names are resolved anew. The system resolver does not tell a record's time to live, so it
/// is Envoy's order of magnitude (`dns_refresh_rate`, 5 s).
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(5);
/// Look-ups at once; each occupies a thread of the runtime's blocking pool.
const AT_ONCE: usize = 16;

/// The answers so far.
pub(crate) struct Resolver {
    rules: AddressRules,
    answers: Mutex<Answers>,
    /// Our own listeners, where no endpoint may be.
    own: Mutex<BTreeSet<SocketAddr>>,
}

impl Resolver {
    pub(crate) fn new(rules: AddressRules) -> Self {
        Self { rules, answers: Mutex::default(), own: Mutex::default() }
    }

    /// Forbids addresses as endpoints: those that the gateway itself listens on.
    pub(crate) fn forbid(&self, own: impl IntoIterator<Item = SocketAddr>) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
    }

    /// What is known now.
    pub(crate) fn answers(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves `hosts` and forgets all others; true if any answer changed.
    ///
    /// A name that does not resolve, or resolves to nothing that is permitted, keeps its last answer.
    pub(crate) async fn refresh(&self, hosts: Vec<HostPort>) -> bool {
        let before = self.answers();
        let mut after: HashMap<_, _> = before
            .iter()
            .filter(|(host, _)| hosts.binary_search(host).is_ok())
            .map(|(host, addresses)| (host.clone(), addresses.clone()))
            .collect();
        let mut waiting = hosts.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(host) = waiting.next()
            {
                running.spawn(async move {
                    let name = host.host.clone();
                    let answer = timeout(PATIENCE, lookup_host((&*name, host.port))).await;
                    let addresses = match answer {
                        Ok(Ok(addresses)) => Ok(addresses.collect::<BTreeSet<_>>()),
                        Ok(Err(error)) => Err(error.to_string()),
                        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
                    };
                    (host, addresses)
                });
            }
            let Some(done) = running.join_next().await else { break };
            let Ok((host, addresses)) = done else { continue };
            match addresses {
                Ok(addresses) => {
                    let permitted = self.permitted(&host, addresses);
                    if !permitted.is_empty() {
                        after.insert(host, permitted);
                    }
                }
                Err(error) => {
                    let kept = after.get(&host).map_or(0, Vec::len);
                    tracing::warn!(host = %host.host, %error, kept, "cannot resolve an endpoint's name; its last addresses stay");
                }
            }
        }
        // The same answers stay the same value, by which the table knows that there is nothing to do.
        let changed = *before != after;
        if changed {
            *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        }
        changed
    }

    fn permitted(&self, host: &HostPort, addresses: BTreeSet<SocketAddr>) -> Vec<SocketAddr> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let permitted = |address: &SocketAddr| {
            if own.iter().any(|listener| reaches(*address, *listener)) {
                tracing::warn!(host = %host.host, %address, "an endpoint's name leads to this gateway itself; passed over");
                return false;
            }
            match self.rules.check(*address) {
                Ok(()) => true,
                Err(forbidden) => {
                    tracing::warn!(host = %host.host, %forbidden, "an endpoint's name leads where it may not; passed over");
                    false
                }
            }
        };
        addresses.into_iter().filter(permitted).collect()
    }
}

/// Whether a connection to `address` would come back to `listener`.
fn reaches(address: SocketAddr, listener: SocketAddr) -> bool {
    let (to, at) = (address.ip().to_canonical(), listener.ip().to_canonical());
    let family = to.is_ipv4() == at.is_ipv4() || at.is_ipv6();
    address.port() == listener.port() && (to == at || (at.is_unspecified() && family && is_ours(to)))
}

/// Whether this machine has the address: then the way there begins at the address itself. No packet is
/// sent to find that out.
pub fn is_ours(ip: IpAddr) -> bool {
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let begins_at = || {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((ip, 9))?;
        socket.local_addr()
    };
    ip.is_loopback() || begins_at().is_ok_and(|from| from.ip() == ip)
}
