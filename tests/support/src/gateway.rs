//! A gateway in the test's own process, from TOML text.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use landbridge::config::Config;
use landbridge::{Credentials, Desired, Drain, Drained, Gateway, Handle, Inputs, Observer, Opened, Outcome};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// A running gateway. Dropping it leaves its connections to the test's runtime.
pub struct TestGateway {
    /// Where it listens.
    pub address: SocketAddr,
    /// What can be asked of it.
    pub handle: Handle,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    updates: watch::Sender<Desired>,
    stop: Option<oneshot::Sender<Drain>>,
    serving: JoinHandle<Drained>,
}

/// Tells one observer, then the test.
struct Told {
    first: Arc<dyn Observer>,
    told: mpsc::UnboundedSender<Outcome>,
}

impl Observer for Told {
    fn connection(&self, outcome: &Outcome) {
        self.first.connection(outcome);
        // The test may have stopped listening.
        let _ = self.told.send(outcome.clone());
    }

    fn opened(&self, opened: &Opened<'_>) {
        self.first.opened(opened);
    }
}

/// Parses `toml` with paths relative to `directory` and loads what it names.
pub fn load(toml: &str, directory: &Path) -> (Config, Desired) {
    let config = Config::from_toml(toml, directory).unwrap_or_else(|problems| panic!("{problems}"));
    let credentials =
        Credentials::load(&config.identity, &config.trust).unwrap_or_else(|errors| panic!("{errors}"));
    let desired = Desired { services: Arc::new(config.services.clone()), credentials: Arc::new(credentials) };
    (config, desired)
}

impl TestGateway {
    /// Starts a gateway; `toml` needs no `[listener]`, a free loopback port is chosen.
    pub async fn start(toml: &str, directory: &Path) -> Self {
        Self::observed(toml, directory, Arc::new(|_: &Outcome| ())).await
    }

    /// As [`start`](Self::start), with an observer that hears of each connection before the test does.
    pub async fn observed(toml: &str, directory: &Path, first: Arc<dyn Observer>) -> Self {
        let (mut config, desired) = load(toml, directory);
        config.gateway.listener.addresses = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        let (updates, state) = watch::channel(desired);
        let (told, outcomes) = mpsc::unbounded_channel();
        let observer = Arc::new(Told { first, told });
        let bound = Gateway::new(config.gateway, Inputs { state, observer }).unwrap().bind().await.unwrap();
        let address = *bound.local_addrs().first().unwrap();
        let handle = bound.handle();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(bound.serve(async move { stopped.await.unwrap_or(Drain::NOW) }));
        Self { address, handle, outcomes, updates, stop: Some(stop), serving }
    }

    /// Waits for the next connection to end or be refused.
    pub async fn outcome(&mut self) -> Outcome {
        self.outcomes.recv().await.expect("the gateway tells of each connection")
    }

    /// True if no outcome has been told that was not asked for.
    pub fn told_everything(&mut self) -> bool {
        self.outcomes.try_recv().is_err()
    }

    /// Applies new configuration and waits until it is in force.
    pub async fn update(&self, toml: &str, directory: &Path) {
        let before = self.handle.generation();
        self.updates.send_replace(load(toml, directory).1);
        while self.handle.generation() == before {
            tokio::task::yield_now().await;
        }
    }

    /// Begins to drain.
    pub fn drain(&mut self, drain: Drain) {
        self.stop.take().expect("drained once").send(drain).expect("the gateway serves");
    }

    /// Waits until the gateway has stopped.
    pub async fn stopped(self) -> Drained {
        self.serving.await.expect("the gateway does not panic")
    }
}
