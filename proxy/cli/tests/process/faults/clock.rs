//! A wall clock that jumps, by libfaketime.

use std::process::Command;

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::Running;
use landbridge_testkit::oracle::Oracle;
use landbridge_testkit::peer::find;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};

use crate::metrics::value;
use crate::{LANDBRIDGE, PORTS};

/// The library that the program `faketime` preloads.
fn library() -> Option<String> {
    let faketime = find("faketime", "apt-get install faketime")?;
    let asked = Command::new(faketime).args(["-f", "+0", "sh", "-c", "printf %s \"$LD_PRELOAD\""]).output();
    Some(String::from_utf8(asked.unwrap().stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_clock_that_jumps_or_stands_still_judges_newcomers_and_cuts_nobody() {
    let Some(library) = library() else { return };
    let (world, echo) = (World::default(), Server::echo().await);
    // Whoever is served here is cut when its certificate ends, by a clock that does not jump.
    let service = World::httpbin(&[echo.address], "close_on_cert_expiry = true");
    let timeouts = "[timeouts]\ndrain_lag = \"off\"\n";
    world.folder.write("gateway.toml", &(PORTS.to_owned() + &World::head() + &service + timeouts));
    world.folder.write("now", "+0d\n");
    let mut command = Command::new(LANDBRIDGE);
    command.args(["run", "--workers", "1", "-c"]).arg(world.folder.path().join("gateway.toml"));
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", world.folder.path().join("now"));
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let mut running = Running::by(&mut command);
    let mut oracle = Oracle::look(&world, &running).await;
    oracle.talk();
    for jump in ["-2d\n", "+4000d\n"] {
        world.folder.write("now", jump);
        assert_eq!(world.sidecar().sees(running.address, HTTPBIN).await, Saw::Alert(45), "{jump}");
        let told = running.event("clock_jump");
        assert_eq!(told.contains("back_s"), jump.starts_with('-'), "{told}");
        oracle.talk_goes_on(2).await;
    }
    assert_eq!(value(&running, "landbridge_clock_jumps_total"), 2);
    // A time without a sign stands still.
    let date = Command::new("date").arg("+%Y-%m-%d %H:%M:%S").output().unwrap();
    for now in [String::from_utf8(date.stdout).unwrap(), "+0d\n".to_owned()] {
        world.folder.write("now", &now);
        oracle.call_is_served(&running).await;
        oracle.talk_goes_on(2).await;
    }
    oracle.hush().await;
    let told = oracle.holds(running).await;
    let refusals = ["cert_not_yet_valid", "cert_expired"];
    assert_eq!(told.len(), refusals.len(), "{told:?}");
    for (line, refusal) in told.iter().zip(refusals) {
        assert!(line.contains(refusal), "{line}");
    }
}
