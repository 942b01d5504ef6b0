//! Draining a real process: by signal, by the admin API and by `landbridge drain`.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::{Running, http_get, http_say};
use landbridge_testkit::server::{Endpoint, Server};
use landbridge_testkit::wire::{Wire, noise};
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::Value;
use tokio::sync::watch;

use crate::{LANDBRIDGE, PORTS};

const HOURS: &str = "[timeouts]\ndrain_lag = \"1h\"\ndrain = \"2h\"\n";

struct Scene {
    world: World,
    endpoint: Endpoint,
    running: Running,
}

impl Scene {
    async fn set(timeouts: &str, arguments: &[&str]) -> Self {
        let world = World::default();
        let endpoint = Endpoint::bind().await;
        let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "") + timeouts;
        world.folder.write("gateway.toml", &toml);
        let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), arguments);
        Self { world, endpoint, running }
    }

    /// Both ends of a stream through the gateway, proven by a byte.
    async fn stream(&self) -> (Wire, Wire) {
        let mut client = Wire::secure(&self.world.sidecar(), self.running.address, HTTPBIN).await;
        client.send(b"x").await;
        let mut server = self.endpoint.accept().await;
        assert_eq!(server.receive(1).await, b"x");
        (client, server)
    }

    fn post_drain(&self) -> (u16, Value) {
        let request =
            "POST /drain HTTP/1.1\r\nhost: localhost\r\nx-landbridge-admin: 1\r\nconnection: close\r\n\r\n";
        let (status, _, body) = http_say(&self.running.admin(), request);
        (status, serde_json::from_str(&body).unwrap())
    }

    fn overview(&self) -> Value {
        overview(&self.running)
    }

    /// `landbridge drain` with these arguments, to its end.
    fn drain_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LANDBRIDGE);
        command.arg("drain").args(arguments).arg("--admin").arg(format!("http://{}", self.running.admin()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

fn overview(running: &Running) -> Value {
    let request = "GET /api/v1/overview HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    serde_json::from_str(&http_say(&running.admin(), request).2).unwrap()
}

/// Waits until the workers know of it too; what has ended before is no matter of the drain.
fn draining(running: &mut Running) {
    running.event("draining");
    while overview(running)["drain"].is_null() {}
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn flags(log: &[String], flag: &str) -> usize {
    log.iter().filter(|line| line.contains(&format!("\"response_flags\":\"{flag}\""))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_end_within_the_drain_are_whole_and_none_is_cut() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let drain = "[timeouts]\ndrain_lag = \"off\"\ndrain = \"1h\"\n";
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "") + drain;
    world.folder.write("gateway.toml", &toml);
    world.folder.write(
        "termination-log",
        "what was there before, which is longer than what comes now; and so on, on",
    );
    let last_words = world.folder.path().join("termination-log");
    let arguments = ["--strict-exit", "--termination-log", last_words.to_str().unwrap()];
    let mut running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &arguments);
    let mut streams = Vec::new();
    for _ in 0..40 {
        let mut client = Wire::secure(&world.sidecar(), running.address, HTTPBIN).await;
        client.send(b"x").await;
        assert_eq!(client.receive(1).await, b"x");
        streams.push(client);
    }
    running.signal("TERM");
    draining(&mut running);
    let ends = streams.into_iter().zip(0..).map(|(mut client, seed)| {
        tokio::spawn(async move {
            let bytes = noise(48 * 1024, seed);
            client.send(&bytes).await;
            client.finish().await;
            assert_eq!(client.rest().await, (bytes, Saw::End));
        })
    });
    for end in ends.collect::<Vec<_>>() {
        end.await.unwrap();
    }
    let stopped = running.event("stopped");
    assert!(
        stopped.contains("open=40") && stopped.contains("ended=40") && stopped.contains("cut=0"),
        "{stopped}"
    );
    let (status, log) = running.ended();
    assert_eq!((status.code(), log.len(), flags(&log, "-")), (Some(0), 40, 40));
    let said = fs::read_to_string(last_words).unwrap();
    assert_eq!(said, "drained: 40 open at the start, 40 ended by themselves, 0 cut\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlives_the_drain_is_reset_on_both_sides_and_every_count_says_so() {
    for (arguments, code) in [(&[][..], 0), (&["--strict-exit"][..], 3)] {
        let drain = "[timeouts]\ndrain_lag = \"off\"\ndrain = \"1s\"\n";
        let mut scene = Scene::set(drain, arguments).await;
        let (mut streams, mut one_that_ends) = (Vec::new(), scene.stream().await);
        for _ in 0..8 {
            streams.push(scene.stream().await);
        }
        scene.running.signal("TERM");
        draining(&mut scene.running);
        one_that_ends.0.finish().await;
        one_that_ends.1.finish().await;
        assert_eq!((one_that_ends.0.end().await, one_that_ends.1.end().await), (Saw::End, Saw::End));
        for (client, server) in &mut streams {
            assert_eq!((client.end().await, server.end().await), (Saw::Reset, Saw::Reset));
        }
        let stopped = scene.running.event("stopped");
        assert!(stopped.contains("open=9 ended=1 cut=8"), "{stopped}");
        let (status, log) = scene.running.ended();
        assert_eq!((status.code(), flags(&log, "DN"), flags(&log, "-")), (Some(code), 8, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_or_shakes_hands_at_the_signal_is_served() {
    let mut scene = Scene::set("[timeouts]\ndrain_lag = \"off\"\ndrain = \"1h\"\n", &[]).await;
    let sidecar = scene.world.sidecar();
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Wire::hold_hello(&sidecar, scene.running.address, HTTPBIN).await);
    }
    while scene.overview()["connections"]["active"] != 5 {}
    // Nobody accepts from here on: the kernel completes these by itself.
    scene.running.signal("STOP");
    for _ in 0..20 {
        clients.push(Wire::hold_hello(&sidecar, scene.running.address, HTTPBIN).await);
    }
    scene.running.signal("TERM");
    scene.running.signal("CONT");
    scene.running.event("draining");
    for client in &mut clients {
        assert_eq!(client.handshake().await, Ok(()));
        client.send(b"late").await;
        let mut server = scene.endpoint.accept().await;
        assert_eq!(server.receive(4).await, b"late");
        client.finish().await;
        server.finish().await;
        assert_eq!((client.end().await, server.end().await), (Saw::End, Saw::End));
    }
    assert!(scene.running.event("stopped").contains("cut=0"));
    let (status, log) = scene.running.ended();
    assert_eq!((status.code(), flags(&log, "-")), (Some(0), 25));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once_with_a_line_for_every_connection() {
    for (first, second) in [("TERM", "TERM"), ("TERM", "INT"), ("INT", "INT")] {
        let mut scene = Scene::set(HOURS, &["--strict-exit"]).await;
        let mut streams = Vec::new();
        for _ in 0..10 {
            streams.push(scene.stream().await);
        }
        let mut silent = Wire::dial(scene.running.address).await;
        while scene.overview()["connections"]["active"] != 11 {}
        scene.running.signal(first);
        draining(&mut scene.running);
        scene.running.signal(second);
        for (client, server) in &mut streams {
            assert_eq!((client.end().await, server.end().await), (Saw::Reset, Saw::Reset));
        }
        assert_eq!(silent.end().await, Saw::Reset);
        let stopped = scene.running.event("stopped");
        assert!(stopped.contains("open=11 ended=0 cut=11"), "{stopped}");
        let (status, log) = scene.running.ended();
        assert_eq!((status.code(), log.len(), flags(&log, "DN")), (Some(3), 11, 11), "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_the_admin_api_began_is_not_ended_by_asking_again_nor_by_the_first_signal() {
    let mut scene = Scene::set(HOURS, &[]).await;
    let (mut client, mut server) = scene.stream().await;
    let (status, begun) = scene.post_drain();
    assert_eq!((status, &begun["result"]), (202, &"begins".into()));
    scene.running.event("draining");
    while http_get(scene.running.health, "/healthz/ready").0 == 200 {}
    while scene.overview()["drain"].is_null() {}
    let (status, again) = scene.post_drain();
    assert_eq!((status, &again["result"], &again["drain"]["open"]), (200, &"goes_on".into(), &1.into()));
    // As the kubelet does behind a preStop hook.
    scene.running.signal("TERM");
    scene.running.event("draining already");
    client.send(b"ping").await;
    assert_eq!(server.receive(4).await, b"ping");
    let overview = scene.overview();
    assert_eq!(overview["phase"], "draining");
    let drain = &overview["drain"];
    assert!(
        drain["lag_left_ms"].as_u64().unwrap() > 0 && drain["deadline_left_ms"].as_u64().unwrap() > 3_600_000
    );
    assert_eq!((&drain["open"], &drain["ended"], &drain["cut"]), (&1.into(), &0.into(), &0.into()));
    let metrics = http_get(scene.running.metrics, "/metrics").1;
    assert!(metrics.contains("landbridge_connections_cut_total{reason=\"drain_deadline\"} 0"), "{metrics}");
    scene.running.signal("TERM");
    assert_eq!((client.end().await, server.end().await), (Saw::Reset, Saw::Reset));
    assert!(scene.running.event("stopped").contains("cut=1"));
    assert_eq!(scene.running.ended().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_does_not_leave_a_drain_that_was_asked_for_its_hours() {
    let mut scene = Scene::set(HOURS, &[]).await;
    let (mut client, _server) = scene.stream().await;
    assert_eq!(scene.post_drain().0, 202);
    scene.running.event("draining");
    scene.running.signal("INT");
    assert_eq!(client.end().await, Saw::Reset);
    assert!(scene.running.event("stopped").contains("cut=1"));
    assert_eq!(scene.running.ended().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_waits_for_the_end_and_tells_how_far_it_is() {
    let mut scene = Scene::set("[timeouts]\ndrain_lag = \"off\"\ndrain = \"1h\"\n", &[]).await;
    let (mut client, mut server) = scene.stream().await;
    let (code, said, complained) = text(&scene.drain_command(&[]).output().unwrap());
    assert_eq!((code, &*said, &*complained), (Some(0), "the drain begins\n", ""));
    scene.running.event("draining");

    let (code, said, complained) = text(&scene.drain_command(&["--wait=1s"]).output().unwrap());
    assert_eq!((code, &*said), (Some(1), "it drains already\n1 open, 0 ended by themselves, 0 cut\n"));
    assert!(complained.contains("has not stopped within 1s; 1 open"), "{complained}");

    let mut waiting = scene.drain_command(&["--wait"]).spawn().unwrap();
    let mut lines = BufReader::new(waiting.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "it drains already");
    assert_eq!(lines.next().unwrap(), "1 open, 0 ended by themselves, 0 cut");
    client.finish().await;
    server.finish().await;
    assert_eq!((client.end().await, server.end().await), (Saw::End, Saw::End));
    assert_eq!(lines.last().unwrap(), "stopped");
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    assert!(scene.running.event("stopped").contains("cut=0"));

    let (code, _, complained) = text(&scene.drain_command(&["--wait"]).output().unwrap());
    assert!(code == Some(1) && complained.contains("cannot ask http://127.0.0.1:"), "{complained}");
    let output = Command::new(LANDBRIDGE).args(["drain", "--admin", "127.0.0.1:1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = Command::new(LANDBRIDGE).args(["drain", "--wait=soon"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_are_replaced_one_by_one_under_load_lose_no_byte_and_refuse_nobody() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let drain = "[timeouts]\ndrain_lag = \"3s\"\ndrain = \"1h\"\n";
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "") + drain;
    world.folder.write("gateway.toml", &toml);
    let start = || {
        let running =
            Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &["--workers", "2"]);
        while http_get(running.health, "/healthz/ready").0 != 200 {}
        running
    };
    let mut replicas = VecDeque::from([start(), start()]);
    let addresses = |replicas: &VecDeque<Running>| replicas.iter().map(|it| it.address).collect::<Vec<_>>();
    let (balanced, _) = watch::channel(addresses(&replicas));
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..6)
        .map(|client| {
            let (sidecar, balanced, over) = (world.sidecar(), balanced.subscribe(), over.clone());
            tokio::spawn(async move {
                let mut calls = 0;
                while !over.load(Ordering::Relaxed) {
                    let ready = balanced.borrow().clone();
                    let address = ready[calls % ready.len()];
                    let bytes = noise(32 * 1024, (client * 1_000_000 + calls) as u64);
                    assert_eq!(sidecar.ask(address, HTTPBIN, &bytes).await, Ok(bytes));
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for _ in 0..3 {
        let mut old = replicas.pop_front().unwrap();
        replicas.push_back(start());
        old.signal("TERM");
        // As a load balancer notices it: while the replica still accepts.
        while http_get(old.health, "/healthz/ready").0 == 200 {}
        balanced.send_replace(addresses(&replicas));
        let stopped = old.event("stopped");
        assert!(stopped.contains("cut=0"), "{stopped}");
        let (status, log) = old.ended();
        assert_eq!((status.code(), log.len()), (Some(0), flags(&log, "-")));
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
}
