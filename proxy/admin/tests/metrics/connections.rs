//! Connections: let in, refused, running, ended.

use landbridge::Reason;
use landbridge_testkit::client::{Saw, Sidecar, client_hello};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::Scene;

#[tokio::test]
async fn a_caller_who_is_let_in_is_counted_by_who_it_is_and_whom_it_calls() {
    let endpoint = Server::echo().await;
    let mut scene = Scene::set(&World::httpbin(&[endpoint.address], "")).await;
    let answer = scene.world.sidecar().ask(scene.gateway.address, HTTPBIN, b"hello").await;
    assert_eq!(answer, Ok(b"hello".to_vec()));
    scene.gateway.outcome().await;
    let scrape = scene.scrape();
    let edge = [
        "reporter=\"destination\"",
        "source_principal=\"spiffe://cluster.local/ns/default/sa/sleep\"",
        "source_workload_namespace=\"default\"",
        "source_cluster=\"cluster-1\"",
        "destination_service=\"httpbin.default.svc.cluster.local\"",
        "destination_service_name=\"httpbin\"",
        "destination_service_namespace=\"default\"",
        "destination_cluster=\"cluster-2\"",
        "connection_security_policy=\"mutual_tls\"",
        "response_flags=\"-\"",
        "request_protocol=\"tcp\"",
    ];
    assert_eq!(scrape.sum("istio_tcp_connections_opened_total", &edge), 1);
    assert_eq!(scrape.sum("istio_tcp_connections_closed_total", &edge), 1);
    assert_eq!(scrape.sum("istio_tcp_received_bytes_total", &edge), 5);
    assert_eq!(scrape.sum("istio_tcp_sent_bytes_total", &edge), 5);
    assert_eq!(scrape.sum("landbridge_connections_total", &[]), 1);
    let agreed = ["result=\"full\"", "version=\"TLSv1.3\"", "group=\"X25519MLKEM768\""];
    assert_eq!(scrape.sum("landbridge_handshakes_total", &agreed), 1);
    assert_eq!(scrape.sum("landbridge_handshake_duration_seconds_count", &[]), 1);
    assert_eq!(scrape.sum("landbridge_upstream_connect_duration_seconds_count", &[]), 1);
    assert_eq!(scrape.sum("landbridge_connection_duration_seconds_count", &[]), 1);
    assert_eq!(scrape.sum("landbridge_connections_refused_total", &[]), 0);
}

#[tokio::test]
async fn a_handshake_that_resumed_a_session_is_counted_as_such_and_a_refused_one_is_not() {
    let endpoint = Server::echo().await;
    let services = World::httpbin(&[endpoint.address], "");
    let mut scene = Scene::set(&format!("[tls]\nresumption = true\n{services}")).await;
    let sidecar = scene.world.sidecar();
    for _ in 0..3 {
        assert_eq!(sidecar.ask(scene.gateway.address, HTTPBIN, b"hello").await, Ok(b"hello".to_vec()));
        assert_eq!(scene.gateway.outcome().await.reason, Reason::Done);
    }
    let others = World::head() + &services.replace("sa/sleep", "sa/web");
    scene.gateway.update(&others, scene.world.folder.path()).await;
    assert_eq!(sidecar.sees(scene.gateway.address, HTTPBIN).await, Saw::Alert(49));
    assert_eq!(scene.gateway.outcome().await.reason, Reason::Denied);
    let scrape = scene.scrape();
    let count = |result: &str| scrape.sum("landbridge_handshakes_total", &[&format!("result=\"{result}\"")]);
    assert_eq!((count("full"), count("resumed"), count("failed")), (1, 2, 1));
}

#[tokio::test]
async fn the_bytes_of_a_running_connection_count_while_it_runs_and_once_in_all() {
    let endpoint = Server::echo().await;
    let mut scene = Scene::set(&World::httpbin(&[endpoint.address], "")).await;
    let mut stream = scene.world.sidecar().connect(scene.gateway.address, HTTPBIN).await.unwrap();
    let mut total = 0;
    for size in [10, 1000, 1] {
        let piece = vec![b'x'; size];
        stream.write_all(&piece).await.unwrap();
        stream.read_exact(&mut vec![0; size]).await.unwrap();
        total += size as u64;
        let scrape = scene.scrape();
        assert_eq!(scrape.sum("istio_tcp_received_bytes_total", &[]), total);
        assert_eq!(scrape.sum("istio_tcp_sent_bytes_total", &[]), total);
        assert_eq!(scrape.sum("landbridge_connections_active", &["mode=\"terminate\""]), 1);
        assert_eq!(scrape.sum("landbridge_upstream_connect_duration_seconds_count", &[]), 1);
        assert_eq!(scrape.sum("istio_tcp_connections_closed_total", &[]), 0);
    }
    stream.write_all(b"after the last scrape").await.unwrap();
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    scene.gateway.outcome().await;
    for _ in 0..2 {
        let scrape = scene.scrape();
        assert_eq!(scrape.sum("istio_tcp_received_bytes_total", &[]), total + 21);
        assert_eq!(scrape.sum("istio_tcp_sent_bytes_total", &[]), total + 21);
        assert_eq!(scrape.sum("istio_tcp_connections_closed_total", &[]), 1);
        assert_eq!(scrape.sum("landbridge_upstream_connect_duration_seconds_count", &[]), 1);
        assert_eq!(scrape.sum("landbridge_connections_active", &["mode=\"terminate\""]), 0);
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_ends_under_its_flag_and_its_early_bytes_stay_where_they_were() {
    let endpoint = Server::echo().await;
    let services = World::httpbin(&[endpoint.address], "");
    let mut scene = Scene::set(&services).await;
    let mut stream = scene.world.sidecar().connect(scene.gateway.address, HTTPBIN).await.unwrap();
    stream.write_all(b"before").await.unwrap();
    stream.read_exact(&mut [0; 6]).await.unwrap();
    scene.scrape();
    let nobody = services.replace("sa/sleep", "sa/nobody");
    scene.gateway.update(&(World::head() + &nobody), scene.world.folder.path()).await;
    assert_eq!(Saw::of(&stream.read(&mut [0; 1]).await.unwrap_err()), Saw::Reset);
    assert_eq!(scene.gateway.outcome().await.reason, Reason::Revoked);
    let scrape = scene.scrape();
    assert_eq!(scrape.sum("istio_tcp_connections_opened_total", &["response_flags=\"-\""]), 1);
    assert_eq!(scrape.sum("istio_tcp_connections_closed_total", &["response_flags=\"RV\""]), 1);
    assert_eq!(scrape.sum("istio_tcp_connections_closed_total", &["response_flags=\"-\""]), 0);
    assert_eq!(scrape.sum("istio_tcp_received_bytes_total", &["response_flags=\"-\""]), 6);
    assert_eq!(scrape.sum("istio_tcp_received_bytes_total", &[]), 6);
}

#[tokio::test]
async fn refusals_count_by_their_reason_and_never_as_opened() {
    let endpoint = Server::echo().await;
    let mut scene = Scene::set(&World::httpbin(&[endpoint.address], "")).await;
    let address = scene.gateway.address;
    let stranger = scene.world.sidecar_of(&scene.world.remote.svid("ns/default/sa/stranger"));
    assert_eq!(stranger.sees(address, HTTPBIN).await, Saw::Alert(49));
    let nobody = Sidecar::anonymous(&scene.world.local.bundle());
    assert_eq!(nobody.sees(address, HTTPBIN).await, Saw::Alert(116));
    assert_eq!(scene.world.sidecar().sees(address, "elsewhere.example.com").await, Saw::Alert(112));
    for _ in 0..3 {
        scene.gateway.outcome().await;
    }
    let scrape = scene.scrape();
    for reason in [Reason::Denied, Reason::NoClientCert, Reason::SniUnknown] {
        let label = format!("reason=\"{reason}\"");
        assert_eq!(scrape.sum("landbridge_connections_refused_total", &[&label]), 1, "{reason}");
    }
    assert_eq!(scrape.sum("landbridge_connections_refused_total", &[]), 3);
    assert_eq!(scrape.sum("landbridge_handshakes_total", &["result=\"failed\""]), 2);
    assert_eq!(scrape.sum("landbridge_connections_total", &[]), 3);
    assert_eq!(scrape.count("istio_tcp_connections_opened_total", &[]), 0);
    assert!(!scrape.0.contains("stranger") && !scrape.0.contains("elsewhere"));
}

#[tokio::test]
async fn a_passed_through_connection_counts_under_a_reporter_of_its_own() {
    let endpoint = Server::greeter("not TLS, and passed on as it is").await;
    let service = format!(
        "[[service]]\nsni = [\"ledger.example.com\"]\nmode = \"passthrough\"\nendpoints = [{{ address = \"{}\" }}]\n",
        endpoint.address
    );
    let mut scene = Scene::set(&service).await;
    let hello = client_hello(&scene.world.sidecar(), "ledger.example.com");
    let mut tcp = TcpStream::connect(scene.gateway.address).await.unwrap();
    tcp.write_all(&hello).await.unwrap();
    tcp.shutdown().await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer.len(), 31);
    scene.gateway.outcome().await;
    let scrape = scene.scrape();
    let edge =
        ["reporter=\"gateway\"", "source_principal=\"unknown\"", "connection_security_policy=\"unknown\""];
    assert_eq!(scrape.sum("istio_tcp_sent_bytes_total", &edge), 31);
    assert_eq!(scrape.sum("istio_tcp_received_bytes_total", &edge), hello.len() as u64);
    assert_eq!(scrape.count("landbridge_handshakes_total", &[]), 0);
}
