//! A kernel, a clock, logs and clients that turn against the process: it serves, or says why it does not.

mod accept;
mod clients;
mod clock;
mod hangs;
mod logs;
mod pipes;
mod start;
mod streams;

use landbridge_testkit::command::Running;
use landbridge_testkit::oracle::Oracle;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::World;

use crate::{LANDBRIDGE, PORTS};

/// A gateway of one worker, whose calls are therefore counted by one thread, and who watches it.
struct Scene {
    world: World,
    _echo: Server,
    running: Running,
    oracle: Oracle,
}

impl Scene {
    async fn set() -> Self {
        Self::with("", &[]).await
    }

    /// With more of a configuration, and more arguments.
    async fn with(more: &str, arguments: &[&str]) -> Self {
        let (world, echo) = (World::default(), Server::echo().await);
        let timeouts = if more.contains("[timeouts]") { "" } else { "[timeouts]\n" };
        let more = format!("{timeouts}{more}").replace("[timeouts]\n", "[timeouts]\ndrain_lag = \"off\"\n");
        let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[echo.address], "") + &more;
        world.folder.write("gateway.toml", &toml);
        let arguments = [&["--workers", "1"], arguments].concat();
        let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &arguments);
        let oracle = Oracle::look(&world, &running).await;
        Self { world, _echo: echo, running, oracle }
    }
}
