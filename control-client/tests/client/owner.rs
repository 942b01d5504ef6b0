//! The owner of a client.

use tokio::task::JoinHandle;

use super::*;

pub(super) struct Owner {
    pub(super) feed: Feed,
    pub(super) held: Arc<Mutex<Held>>,
    pub(super) running: JoinHandle<()>,
}

impl Owner {
    pub(super) fn of(servers: &[&Server]) -> Self {
        let held = Arc::default();
        let config = Config {
            node: Node { id: "eastwest-0".to_owned(), ..Node::default() },
            servers: servers.iter().map(|server| (*server).clone()).collect(),
            limits: landbridge_control_client::session::Limits::default(),
        };
        let (client, feed) = Client::new(config, Arc::clone(&held));
        Self { feed, held, running: tokio::spawn(client.run()) }
    }

    /// The next update.
    pub(super) async fn update(&mut self) -> Arc<landbridge_control_client::session::Update> {
        loop {
            match self.feed.next().await.unwrap() {
                Event::Update(update) => return update,
                Event::Welcome(_) => {}
                Event::Refused(refused) => panic!("{refused:?}"),
            }
        }
    }

    /// Waits for the next failure.
    pub(super) async fn failure(&self, failures: u64) -> Failure {
        let mut state = self.feed.state();
        let state = state.wait_for(|state| state.failures >= failures).await.unwrap();
        state.last_failure.clone().unwrap()
    }

    pub(super) fn holds(&self) -> usize {
        self.held.lock().unwrap().resources().count()
    }
}
