//! Signals: drain, reload, reopen, and what peers see of each.

use std::fs;
use std::time::Duration;

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::{Running, http_get};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::metrics::value;
use crate::{LANDBRIDGE, PORTS};

struct Scene {
    world: World,
    endpoint: Server,
    running: Running,
}

impl Scene {
    async fn set(more: &str, arguments: &[&str]) -> Self {
        let world = World::default();
        let endpoint = Server::echo().await;
        let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "") + more;
        world.folder.write("gateway.toml", &toml);
        let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), arguments);
        Self { world, endpoint, running }
    }

    /// A live stream through the gateway, proven by one echoed byte.
    async fn stream(&self) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
        let mut stream = self.world.sidecar().connect(self.running.address, HTTPBIN).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        stream.read_exact(&mut [0; 1]).await.unwrap();
        stream
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sigterm_readiness_fails_at_once_new_connections_are_served_and_streams_end_by_themselves() {
    let mut scene = Scene::set("[timeouts]\ndrain_lag = \"60s\"\ndrain = \"1h\"\n", &[]).await;
    let mut stream = scene.stream().await;
    scene.running.signal("TERM");
    scene.running.event("draining");
    while http_get(scene.running.health, "/healthz/ready").0 == 200 {
        tokio::task::yield_now().await;
    }
    let late = scene.world.sidecar().ask(scene.running.address, HTTPBIN, b"late").await;
    assert_eq!(late, Ok(b"late".to_vec()));
    stream.write_all(b"to the end").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"to the end");
    // A client may see its end before the gateway has told it.
    while value(&scene.running, "landbridge_connections_active{mode=\"terminate\"}") > 0 {}
    // Nothing is open now; only the lag is left, and a second signal cuts that short.
    scene.running.signal("TERM");
    let (status, log) = scene.running.ended();
    assert_eq!((status.code(), log.len()), (Some(0), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_outlives_the_drain_is_reset_and_counted() {
    let drain = "[timeouts]\ndrain_lag = \"off\"\ndrain = \"1s\"\n";
    for (arguments, code) in [(&[][..], 0), (&["--strict-exit"][..], 3)] {
        let mut scene = Scene::set(drain, arguments).await;
        let mut stream = scene.stream().await;
        scene.running.signal("TERM");
        let end = stream.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(Saw::of(&end), Saw::Reset);
        assert!(scene.running.event("stopped").contains("cut=1"));
        let (status, log) = scene.running.ended();
        assert_eq!(status.code(), Some(code));
        assert!(log.iter().any(|line| line.contains("\"response_flags\":\"DN\"")), "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once_and_an_interrupt_drains_briefly() {
    let mut scene = Scene::set("[timeouts]\ndrain = \"1h\"\n", &[]).await;
    let mut stream = scene.stream().await;
    scene.running.signal("TERM");
    scene.running.event("draining");
    scene.running.signal("INT");
    assert_eq!(Saw::of(&stream.read(&mut [0; 1]).await.unwrap_err()), Saw::Reset);
    assert_eq!(scene.running.ended().0.code(), Some(0));

    let mut scene = Scene::set("[timeouts]\ndrain = \"1h\"\n", &[]).await;
    let mut stream = scene.stream().await;
    scene.running.signal("INT");
    assert_eq!(Saw::of(&stream.read(&mut [0; 1]).await.unwrap_err()), Saw::Reset);
    assert!(scene.running.event("stopped").contains("cut=1"));
    assert_eq!(scene.running.ended().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_a_reset_and_never_a_clean_end() {
    let world = World::default();
    let (saw, mut seen) = tokio::sync::mpsc::channel(1);
    let endpoint = Server::start(move |mut tcp| {
        let saw = saw.clone();
        async move {
            let mut piece = [0; 16];
            let end = loop {
                match tcp.read(&mut piece).await {
                    Ok(0) => break "a clean end",
                    Ok(count) => tcp.write_all(&piece[..count]).await.unwrap(),
                    Err(_) => break "a reset",
                }
            };
            saw.send(end).await.unwrap();
        }
    })
    .await;
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "");
    world.folder.write("gateway.toml", &toml);
    let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
    let mut stream = world.sidecar().connect(running.address, HTTPBIN).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0; 1]).await.unwrap();
    running.signal("KILL");
    assert_eq!(seen.recv().await, Some("a reset"));
    assert_eq!(Saw::of(&stream.read(&mut [0; 1]).await.unwrap_err()), Saw::Reset);
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_applies_a_good_file_whole_keeps_the_last_good_one_and_touches_no_stream() {
    let mut scene = Scene::set("", &[]).await;
    let mut stream = scene.stream().await;
    let good = fs::read_to_string(scene.world.folder.path().join("gateway.toml")).unwrap();
    let added = good.clone()
        + &World::httpbin(&[scene.endpoint.address], "").replace("httpbin.default", "added.default");
    let other = HTTPBIN.replace("httpbin", "added");

    scene.world.folder.write("gateway.toml", &(added.clone() + "unknown_key = 1\n"));
    scene.running.signal("HUP");
    assert!(scene.running.event("unknown").contains("gateway.toml:"));
    scene.running.event("the last good configuration keeps serving");
    assert_eq!(scene.world.sidecar().sees(scene.running.address, &other).await, Saw::Alert(112));

    scene.world.folder.write("gateway.toml", &added);
    scene.running.signal("HUP");
    scene.running.event("configuration applied");
    let answer = scene.world.sidecar().ask(scene.running.address, &other, b"new").await;
    assert_eq!(answer, Ok(b"new".to_vec()));

    stream.write_all(b"y").await.unwrap();
    stream.read_exact(&mut [0; 1]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_list_that_is_broken_is_refused_at_a_reload_and_the_last_good_one_counts() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let revoked = world.sleep_svid();
    let good = world.remote.crl(&[&revoked.serial]);
    world.folder.write("cluster-1.crl", &good);
    let head = World::head().replace("\"cluster-1.pem\"", "\"cluster-1.pem\"\ncrl = \"cluster-1.crl\"");
    let toml = PORTS.to_owned() + &head + &World::httpbin(&[endpoint.address], "");
    world.folder.write("gateway.toml", &toml);
    let mut running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
    let no_der = "-----BEGIN X509 CRL-----\nMAMCAQU=\n-----END X509 CRL-----\n";
    for broken in [no_der, "", &good.replace("-----END", "")] {
        world.folder.write("cluster-1.crl", broken);
        running.signal("HUP");
        assert!(running.event("error: ").contains("cluster-1.crl"));
        running.event("the last good configuration keeps serving");
        assert_eq!(world.sidecar_of(&revoked).sees(running.address, HTTPBIN).await, Saw::Alert(44));
        assert_eq!(world.sidecar().ask(running.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigusr1_reopens_the_access_log_after_it_was_moved() {
    let mut scene = Scene::set("[log]\naccess = \"access.log\"\n", &[]).await;
    let path = scene.world.folder.path().join("access.log");
    let ask = async |scene: &Scene| scene.world.sidecar().ask(scene.running.address, HTTPBIN, b"x").await;
    let line_count = |path: &std::path::Path| fs::read_to_string(path).map_or(0, |text| text.lines().count());
    ask(&scene).await.unwrap();
    while line_count(&path) < 1 {
        tokio::task::yield_now().await;
    }
    let moved = path.with_extension("1");
    fs::rename(&path, &moved).unwrap();
    scene.running.signal("USR1");
    while !path.exists() {
        tokio::task::yield_now().await;
    }
    ask(&scene).await.unwrap();
    while line_count(&path) < 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(line_count(&moved), 1);
    scene.running.signal("INT");
    tokio::time::timeout(Duration::from_secs(60), async { scene.running.event("stopped") }).await.unwrap();
}
