//! Binding, serving, draining and stopping: what an embedder of the library relies on.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use landbridge::outcome::{Flag, Reason};
use landbridge::service::Mode;
use landbridge::{Drain, Drained, Outcome, Phase, Stage};
use landbridge_testkit::client::Saw;
use landbridge_testkit::gateway::{Loaded, TestGateway, observed};
use landbridge_testkit::server::{Endpoint, Server};
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::sync::watch;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// A live stream through a gateway.
struct Scene {
    world: World,
    gateway: TestGateway,
    client: Wire,
    server: Wire,
    endpoint: Endpoint,
}

impl Scene {
    async fn set() -> Self {
        let world = World::default();
        let endpoint = Endpoint::bind().await;
        let gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
        let client = Wire::secure(&world.sidecar(), gateway.address, HTTPBIN).await;
        let server = endpoint.accept().await;
        Self { world, gateway, client, server, endpoint }
    }

    async fn stream_works(&mut self) {
        self.client.send(b"ping").await;
        assert_eq!(self.server.receive(4).await, b"ping");
        self.server.send(b"pong").await;
        assert_eq!(self.client.receive(4).await, b"pong");
    }

    async fn stream_ends_cleanly(&mut self) {
        self.client.finish().await;
        self.server.finish().await;
        assert_eq!((self.client.end().await, self.server.end().await), (Saw::End, Saw::End));
    }
}

/// Waits until nobody listens at `address`.
async fn refused(address: SocketAddr) {
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
}

fn two() -> NonZeroUsize {
    NonZeroUsize::new(2).unwrap()
}

#[tokio::test]
async fn from_the_signal_on_it_is_draining_and_still_accepts_for_the_lag() {
    let mut scene = Scene::set().await;
    assert_eq!(scene.gateway.handle.phase(), Phase::Serving);
    scene.gateway.drain(Drain { lag: LONG, deadline: Some(LONG) });
    scene.gateway.until("draining", |handle| handle.phase() == Phase::Draining).await;
    scene.stream_works().await;
    let late = Wire::secure(&scene.world.sidecar(), scene.gateway.address, HTTPBIN).await;
    let mut late = Scene { client: late, server: scene.endpoint.accept().await, ..scene };
    late.stream_works().await;
    assert_eq!(late.gateway.handle.phase(), Phase::Draining);
}

#[tokio::test]
async fn a_stream_that_ends_by_itself_within_the_deadline_is_not_cut() {
    let mut scene = Scene::set().await;
    scene.gateway.drain(Drain { lag: Duration::ZERO, deadline: Some(LONG) });
    refused(scene.gateway.address).await;
    scene.stream_works().await;
    assert_eq!(scene.gateway.handle.phase(), Phase::Draining);
    scene.stream_ends_cleanly().await;
    assert_eq!(scene.gateway.stopped().await, Drained { open: 1, cut: 0 });
    assert_eq!(scene.gateway.handle.phase(), Phase::Stopped);
    assert_eq!(scene.gateway.outcome().await.reason, Reason::Done);
}

#[tokio::test]
async fn without_a_deadline_the_last_stream_decides() {
    let mut scene = Scene::set().await;
    scene.gateway.drain(Drain { lag: Duration::ZERO, deadline: None });
    refused(scene.gateway.address).await;
    scene.stream_works().await;
    scene.stream_ends_cleanly().await;
    assert_eq!(scene.gateway.stopped().await, Drained { open: 1, cut: 0 });
}

#[tokio::test]
async fn a_stream_that_outlives_the_deadline_is_reset_on_both_sides() {
    let mut scene = Scene::set().await;
    scene.stream_works().await;
    scene.gateway.drain(Drain { lag: Duration::ZERO, deadline: Some(Duration::from_millis(300)) });
    assert_eq!((scene.client.end().await, scene.server.end().await), (Saw::Reset, Saw::Reset));
    assert_eq!(scene.gateway.stopped().await, Drained { open: 1, cut: 1 });
    let outcome = scene.gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::Drained, Flag::Dn));
    assert_eq!((outcome.received, outcome.sent), (4, 4));
}

#[tokio::test]
async fn the_deadline_counts_from_the_signal_however_long_the_lag_is() {
    let mut scene = Scene::set().await;
    scene.gateway.drain(Drain { lag: LONG, deadline: Some(Duration::from_millis(300)) });
    assert_eq!((scene.client.end().await, scene.server.end().await), (Saw::Reset, Saw::Reset));
    assert_eq!(scene.gateway.stopped().await, Drained { open: 1, cut: 1 });
}

#[tokio::test]
async fn one_side_that_has_ended_already_is_no_reason_to_end_the_other_cleanly() {
    let mut scene = Scene::set().await;
    scene.client.finish().await;
    assert_eq!(scene.server.end().await, Saw::End);
    scene.gateway.drain(Drain { lag: Duration::ZERO, deadline: Some(Duration::from_millis(300)) });
    assert_eq!(scene.client.end().await, Saw::Reset);
    assert_eq!(scene.gateway.stopped().await, Drained { open: 1, cut: 1 });
}

#[tokio::test]
async fn now_means_at_once_for_streams_and_handshakes_alike() {
    let mut scene = Scene::set().await;
    let mut silent = Wire::dial(scene.gateway.address).await;
    scene.gateway.until("a second connection", |handle| handle.active() == 2).await;
    scene.gateway.drain(Drain::NOW);
    let ends = (scene.client.end().await, scene.server.end().await, silent.end().await);
    assert_eq!(ends, (Saw::Reset, Saw::Reset, Saw::Reset));
    assert_eq!(scene.gateway.stopped().await, Drained { open: 2, cut: 2 });
    for _ in 0..2 {
        assert_eq!(scene.gateway.outcome().await.reason, Reason::Drained);
    }
    refused(scene.gateway.address).await;
}

#[tokio::test]
async fn whoever_loses_patience_with_a_drain_ends_it_at_once_and_every_connection_is_told_of() {
    let mut scene = Scene::set().await;
    let mut silent = Wire::dial(scene.gateway.address).await;
    scene.gateway.until("a second connection", |handle| handle.active() == 2).await;
    scene.gateway.drain(Drain { lag: LONG, deadline: Some(LONG) });
    scene.gateway.until("draining", |handle| handle.phase() == Phase::Draining).await;
    scene.stream_works().await;
    scene.gateway.handle.end_now();
    let ends = (scene.client.end().await, scene.server.end().await, silent.end().await);
    assert_eq!(ends, (Saw::Reset, Saw::Reset, Saw::Reset));
    assert_eq!(scene.gateway.stopped().await, Drained { open: 2, cut: 2 });
    for _ in 0..2 {
        assert_eq!(scene.gateway.outcome().await.reason, Reason::Drained);
    }
    assert_eq!(scene.gateway.handle.draining().unwrap().cut, 2);
}

#[tokio::test]
async fn a_gateway_that_serves_can_be_ended_at_once_too() {
    let mut scene = Scene::set().await;
    scene.gateway.handle.end_now();
    assert_eq!((scene.client.end().await, scene.server.end().await), (Saw::Reset, Saw::Reset));
    assert_eq!(scene.gateway.stopped().await, Drained { open: 1, cut: 1 });
    assert_eq!(scene.gateway.outcome().await.reason, Reason::Drained);
    refused(scene.gateway.address).await;
}

#[tokio::test]
async fn how_far_a_drain_is_can_be_asked_at_any_time() {
    let mut scene = Scene::set().await;
    let handle = scene.gateway.handle.clone();
    assert_eq!(handle.draining(), None);
    scene.gateway.drain(Drain { lag: LONG, deadline: Some(2 * LONG) });
    scene.gateway.until("draining", |handle| handle.draining().is_some()).await;
    let began = handle.draining().unwrap();
    assert_eq!((began.open_at_start, began.open, began.ended, began.cut), (1, 1, 0, 0));
    assert!(began.lag_left <= LONG && began.deadline_left.unwrap() > LONG);
    let mut late = Wire::secure(&scene.world.sidecar(), scene.gateway.address, HTTPBIN).await;
    let mut late_server = scene.endpoint.accept().await;
    late.finish().await;
    late_server.finish().await;
    scene.gateway.until("one has ended", |handle| handle.draining().unwrap().ended == 1).await;
    scene.stream_ends_cleanly().await;
    scene.gateway.until("both have ended", |handle| handle.draining().unwrap().ended == 2).await;
    handle.end_now();
    assert_eq!(scene.gateway.stopped().await, Drained { open: 1, cut: 0 });
    let over = handle.draining().unwrap();
    assert_eq!((over.open_at_start, over.open, over.ended, over.cut), (1, 0, 2, 0));
}

#[tokio::test]
async fn who_is_connected_and_what_is_served_can_be_asked() {
    let mut scene = Scene::set().await;
    scene.stream_works().await;
    let handle = scene.gateway.handle.clone();
    let _silent = Wire::dial(scene.gateway.address).await;
    scene.gateway.until("a second connection", |handle| handle.active() == 2).await;
    let open = handle.connections(0, 10);
    let [stream, silent] = &open[..] else { panic!("{open:?}") };
    assert_eq!((stream.stage, stream.received, stream.sent), (Stage::Open, 4, 4));
    assert_eq!(stream.service.as_deref(), Some("httpbin.default.svc.cluster.local:8000"));
    let identity = stream.identity.as_ref().unwrap();
    assert_eq!(identity.id.to_string(), "spiffe://cluster.local/ns/default/sa/sleep");
    assert!(stream.client.unwrap().ip().is_loopback());
    assert_eq!((silent.stage, &silent.service, &silent.identity), (Stage::Handshake, &None, &None));
    assert_eq!(handle.connections(stream.id, 1)[0].id, silent.id);
    assert!(handle.connections(silent.id, 10).is_empty());

    let services = handle.services("", 10);
    let [service] = &services[..] else { panic!("{services:?}") };
    assert_eq!(&*service.name, "httpbin.default.svc.cluster.local:8000");
    assert_eq!((service.mode, service.endpoints.usable, service.endpoints.failing), (Mode::Terminate, 1, 0));
    assert!(handle.services(&service.name, 10).is_empty() && handle.services("", 0).is_empty());
}

#[tokio::test]
async fn a_future_that_is_dropped_accepts_no_more_and_leaves_streams_alone() {
    let mut scene = Scene::set().await;
    scene.gateway.abandon().await;
    refused(scene.gateway.address).await;
    scene.stream_works().await;
    assert_ne!(scene.gateway.handle.phase(), Phase::Serving, "nobody should be sent here");
    scene.stream_ends_cleanly().await;
    assert_eq!(scene.gateway.outcome().await.reason, Reason::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn now_means_at_once_for_connections_that_nobody_has_looked_at_yet() {
    let mut scene = Scene::set().await;
    let address = scene.gateway.address;
    let mut queued = Vec::new();
    for _ in 0..100 {
        queued.push(Wire::dial(address).await);
    }
    scene.gateway.drain(Drain::NOW);
    let drained = scene.gateway.stopped().await;
    assert_eq!(scene.gateway.handle.active(), 0);
    assert_eq!(drained.cut, 101);
    for client in &mut queued {
        assert_eq!(client.end().await, Saw::Reset);
    }
}

/// A gateway on a runtime and a thread of its own, which `end` ends.
fn elsewhere(loaded: Loaded) -> (SocketAddr, tokio::sync::oneshot::Sender<()>) {
    let (told, address) = mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bound = loaded.gateway.bind().await.unwrap();
            told.send(bound.local_addrs()[0]).unwrap();
            tokio::select! {
                _ = bound.serve(std::future::pending()) => {}
                _ = ended => {}
            }
        });
    });
    (address.recv().unwrap(), end)
}

#[tokio::test]
async fn a_runtime_that_is_dropped_resets_its_connections() {
    let world = World::default();
    let endpoint = Endpoint::bind().await;
    let toml = World::head() + &World::httpbin(&[endpoint.address], "");
    let mut loaded = Loaded::new(&toml, world.folder.path(), &["127.0.0.1:0"]);
    let (_, nothing) = tokio::sync::mpsc::unbounded_channel();
    let mut outcomes = std::mem::replace(&mut loaded.outcomes, nothing);
    let (address, end) = elsewhere(loaded);
    let mut client = Wire::secure(&world.sidecar(), address, HTTPBIN).await;
    let mut server = endpoint.accept().await;
    client.send(b"ping").await;
    assert_eq!(server.receive(4).await, b"ping");
    end.send(()).unwrap();
    assert_eq!((client.end().await, server.end().await), (Saw::Reset, Saw::Reset));
    assert_eq!(outcomes.recv().await.unwrap().reason, Reason::Drained);
}

/// Workers of one gateway, each on a runtime and a thread of its own.
struct Workers {
    address: SocketAddr,
    stop: watch::Sender<Option<Drain>>,
    threads: Vec<std::thread::JoinHandle<Drained>>,
}

impl Workers {
    async fn start(gateway: landbridge::Gateway) -> Self {
        let bound = gateway.bind().await.unwrap();
        let address = bound.local_addrs()[0];
        let (stop, _) = watch::channel(None);
        let threads = bound.workers(two()).unwrap().into_iter().map(|worker| {
            let mut stopped = stop.subscribe();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(worker.run(async move {
                    let drain = *stopped.wait_for(Option::is_some).await.unwrap();
                    drain.unwrap()
                }))
            })
        });
        Self { address, threads: threads.collect(), stop }
    }

    fn stopped(self, drain: Drain) -> Drained {
        self.stop.send(Some(drain)).unwrap();
        let ends = self.threads.into_iter().map(|thread| thread.join().unwrap());
        ends.fold(Drained::default(), |sum, end| sum + end)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_worker_is_busy_the_other_takes_the_next_connection() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = World::head() + &World::httpbin(&[endpoint.address], "");
    // Each outcome holds its worker until the other worker has one too.
    let (told, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
    let both = Arc::new(Barrier::new(2));
    let observer = Arc::new(move |outcome: &Outcome| {
        told.send((std::thread::current().id(), outcome.reason)).unwrap();
        both.wait();
    });
    let (gateway, _updates) = observed(&toml, world.folder.path(), &["127.0.0.1:0"], observer);
    let workers = Workers::start(gateway).await;
    let mut served = Vec::new();
    for _ in 0..2 {
        assert_eq!(world.sidecar().ask(workers.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
        served.push(landbridge_testkit::soon("an outcome", outcomes.recv()).await.unwrap());
    }
    let [(first, Reason::Done), (second, Reason::Done)] = served[..] else { panic!("{served:?}") };
    assert_ne!(first, second);
    let drain = Drain { lag: Duration::ZERO, deadline: Some(LONG) };
    assert_eq!(workers.stopped(drain), Drained { open: 0, cut: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_stop_together_and_count_every_cut_connection_once() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = World::head() + &World::httpbin(&[endpoint.address], "");
    let Loaded { gateway, mut outcomes, updates } = Loaded::new(&toml, world.folder.path(), &["127.0.0.1:0"]);
    let workers = Workers::start(gateway).await;
    let mut held = Vec::new();
    for _ in 0..30 {
        let mut client = Wire::secure(&world.sidecar(), workers.address, HTTPBIN).await;
        client.send(b"x").await;
        assert_eq!(client.receive(1).await, b"x");
        held.push(client);
    }
    let drain = Drain { lag: Duration::ZERO, deadline: Some(Duration::from_millis(300)) };
    let stopped = tokio::task::spawn_blocking(move || workers.stopped(drain)).await.unwrap();
    assert_eq!(stopped, Drained { open: 30, cut: 30 });
    for client in &mut held {
        assert_eq!(client.end().await, Saw::Reset);
        assert_eq!(outcomes.recv().await.unwrap().reason, Reason::Drained);
    }
    drop(updates);
}

#[tokio::test]
async fn two_gateways_live_in_one_process_and_know_nothing_of_each_other() {
    let mut one = Scene::set().await;
    let mut other = Scene::set().await;
    assert_ne!(one.gateway.address, other.gateway.address);
    assert_eq!((one.gateway.handle.active(), other.gateway.handle.active()), (1, 1));
    // Neither believes the other's callers.
    let saw = one.world.sidecar().connect(other.gateway.address, HTTPBIN).await.map(drop);
    assert!(saw.is_err());
    one.gateway.drain(Drain::NOW);
    assert_eq!(one.gateway.stopped().await.cut, 1);
    assert_eq!(one.gateway.handle.phase(), Phase::Stopped);
    assert_eq!(other.gateway.handle.phase(), Phase::Serving);
    other.stream_works().await;
}

#[tokio::test]
async fn it_listens_on_every_address_and_tells_the_ports_that_it_was_given() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = World::head() + &World::httpbin(&[endpoint.address], "");
    let listen = ["127.0.0.1:0", "127.0.0.2:0"];
    let mut gateway = TestGateway::start_on(&toml, world.folder.path(), &listen).await;
    let ips: Vec<String> = gateway.addresses.iter().map(|address| address.ip().to_string()).collect();
    assert_eq!(ips, ["127.0.0.1", "127.0.0.2"]);
    for address in gateway.addresses.clone() {
        assert_ne!(address.port(), 0);
        assert_eq!(world.sidecar().ask(address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
        assert_eq!(gateway.outcome().await.downstream_local, address);
    }
}

#[tokio::test]
async fn the_unspecified_ipv6_address_is_dual_stack_and_an_ipv4_client_is_told_as_one() {
    if !landbridge_testkit::peer::has_ipv6() {
        return;
    }
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = World::head() + &World::httpbin(&[endpoint.address], "");
    let mut gateway = TestGateway::start_on(&toml, world.folder.path(), &["[::]:0"]).await;
    for ip in ["127.0.0.1", "::1"] {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        let address = SocketAddr::new(ip, gateway.address.port());
        assert_eq!(world.sidecar().ask(address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
        let outcome = gateway.outcome().await;
        assert_eq!((outcome.downstream_remote.ip(), outcome.downstream_local), (ip, address));
    }
}

#[tokio::test]
async fn it_takes_sockets_that_listen_already() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = World::head() + &World::httpbin(&[endpoint.address], "");
    let sockets = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let addresses: Vec<SocketAddr> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
    // What was queued before anybody served is served too.
    let mut early = Wire::dial(addresses[0]).await.calling(&world.sidecar(), HTTPBIN);
    let loaded = Loaded::new(&toml, world.folder.path(), &["127.0.0.1:1"]);
    let bound = loaded.gateway.adopt(sockets.into()).await.unwrap();
    assert_eq!(bound.local_addrs(), addresses);
    let handle = bound.handle();
    assert_eq!(handle.phase(), Phase::Starting);
    tokio::spawn(bound.serve(std::future::pending()));
    assert_eq!(early.handshake().await, Ok(()));
    early.send(b"x").await;
    assert_eq!(early.receive(1).await, b"x");
    assert_eq!(world.sidecar().ask(addresses[1], HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    assert_eq!(handle.accepted(), 2);

    let nothing = Loaded::new(&toml, world.folder.path(), &["127.0.0.1:0"]).gateway.adopt(Vec::new()).await;
    assert!(nothing.err().unwrap().is_listen());
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_it_and_nothing_is_bound() {
    let world = World::default();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let toml = World::head() + &World::httpbin(&[], "");
    let loaded = Loaded::new(&toml, world.folder.path(), &["127.0.0.1:0", &address]);
    let error = loaded.gateway.bind().await.err().unwrap();
    assert!(error.is_listen());
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
}
