//! Short of connections or descriptors: health and administration answer, and live streams go on.

use std::process::Command;

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::{Running, http_get, http_say};
use landbridge_testkit::server::Server;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::{LANDBRIDGE, PORTS};

async fn ping(wire: &mut Wire) {
    wire.send(b"ping").await;
    assert_eq!(wire.receive(4).await, b"ping");
}

/// A gateway that takes on as many connections as `limits` say, with that many open.
async fn full(limits: &str, open_files: u64, expected: usize) -> (World, Server, Running, Vec<Wire>) {
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "") + limits;
    world.folder.write("gateway.toml", &toml);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -n {open_files} && exec \"$0\" run --workers 1 -c \"$1\""));
    command.arg(LANDBRIDGE).arg(world.folder.path().join("gateway.toml"));
    let running = Running::by(&mut command);
    let mut open = Vec::new();
    for _ in 0..expected {
        let mut wire = Wire::secure(&world.sidecar(), running.address, HTTPBIN).await;
        ping(&mut wire).await;
        open.push(wire);
    }
    (world, endpoint, running, open)
}

fn overview(running: &Running) -> serde_json::Value {
    let request = "GET /api/v1/overview HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    serde_json::from_str(&http_say(&running.admin(), request).2).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_limit_of_connections_health_and_administration_answer() {
    // 300 open files carry (300 - 256) / 2 connections, or two fewer and two pipes unless a number is asked for.
    let cases = [("", None, 20), ("[limits]\nconnections = 100000\n", Some("asked=100000"), 22)];
    for (limits, asked, carried) in cases {
        let (world, _endpoint, running, mut open) = full(limits, 300, carried).await;
        let warned = running.said().iter().find(|line| line.contains("more than the open files carry"));
        assert_eq!(warned.is_some(), asked.is_some(), "{:?}", running.said());
        assert!(asked.is_none_or(|asked| warned.unwrap().contains(asked)), "{warned:?}");
        for _ in 0..50 {
            assert_eq!(world.sidecar().sees(running.address, HTTPBIN).await, Saw::Reset);
        }
        assert_eq!(http_get(running.health, "/healthz/ready").0, 200);
        assert_eq!(http_get(running.metrics, "/metrics").0, 200);
        let overview = overview(&running);
        assert_eq!(
            (&overview["connections"]["active"], &overview["connections"]["limit"]),
            (&carried.into(), &carried.into())
        );
        for wire in &mut open {
            ping(wire).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_can_be_accepted_it_neither_ends_nor_spins_and_streams_go_on() {
    let (world, _endpoint, mut running, mut open) = full("", 4096, 1).await;
    let pid = Pid::from_raw(i32::try_from(running.id()).unwrap());
    let at_most = |files| Rlimit { current: Some(files), maximum: Some(4096) };
    // Fewer than are open already: whatever needs a new one fails with EMFILE.
    prlimit(pid, Resource::Nofile, at_most(8)).unwrap();
    let (address, sidecar) = (running.address, world.sidecar());
    let waiting = tokio::spawn(async move { sidecar.ask(address, HTTPBIN, b"patience").await });
    // Each attempt waits twice as long as the one before.
    for pause in [10, 20, 40, 80, 160, 320, 640, 1000, 1000] {
        let told = running.event("cannot accept; trying again");
        assert!(told.contains(&format!("pause_ms={pause}")), "{told}");
        ping(&mut open[0]).await;
    }
    prlimit(pid, Resource::Nofile, at_most(4096)).unwrap();
    assert_eq!(waiting.await.unwrap(), Ok(b"patience".to_vec()));
    assert_eq!(http_get(running.health, "/healthz/ready").0, 200);
    assert_eq!(overview(&running)["phase"], "serving");
    ping(&mut open[0]).await;
}
