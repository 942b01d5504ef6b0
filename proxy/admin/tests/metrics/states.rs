//! States that a scrape reads: endpoints, certificates, configuration, drain.

use std::time::Duration;

use landbridge::{Drain, Phase, Reason};
use landbridge_admin::Update;
use landbridge_testkit::client::Saw;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::scene::Scene;

#[tokio::test]
async fn an_endpoint_that_refuses_is_failing_and_its_service_says_why_callers_reached_nobody() {
    let nobody = Server::nobody().await;
    let mut scene = Scene::set(&World::httpbin(&[nobody], "")).await;
    let service = "service=\"httpbin.default.svc.cluster.local:8000\"";
    assert_eq!(scene.scrape().sum("landbridge_route_endpoints", &[service, "state=\"usable\""]), 1);
    assert_eq!(scene.world.sidecar().sees(scene.gateway.address, HTTPBIN).await, Saw::Reset);
    assert_eq!(scene.gateway.outcome().await.reason, Reason::ConnectRefused);
    let scrape = scene.scrape();
    assert_eq!(scrape.sum("landbridge_upstream_connect_failures_total", &[service, "kind=\"refused\""]), 1);
    assert_eq!(scrape.sum("landbridge_route_endpoints", &[service]), 1);
    // It was let in, and ended without an endpoint.
    assert_eq!(scrape.sum("istio_tcp_connections_opened_total", &[]), 1);
    assert_eq!(scrape.sum("istio_tcp_connections_closed_total", &["response_flags=\"UF\""]), 1);
    assert_eq!(scrape.sum("landbridge_upstream_connect_duration_seconds_count", &[]), 0);
}

#[tokio::test]
async fn a_service_that_is_gone_takes_its_endpoints_along() {
    let endpoint = Server::echo().await;
    let scene = Scene::set(&World::httpbin(&[endpoint.address], "")).await;
    assert_eq!(scene.scrape().count("landbridge_route_endpoints", &[]), 2);
    scene.gateway.update(&World::head(), scene.world.folder.path()).await;
    assert_eq!(scene.scrape().count("landbridge_route_endpoints", &[]), 0);
}

#[tokio::test]
async fn certificates_tell_when_they_expire_by_who_they_are() {
    let identities = "[identities.extra]\ncertificate = \"gateway.pem\"\nprivate_key = \"gateway.key\"\n";
    let scene = Scene::set(identities).await;
    let scrape = scene.scrape();
    let name = "landbridge_certificate_expiration_timestamp_seconds";
    let own = scene.gateway.handle.credentials().own().unwrap().not_after().as_secs();
    let domain = "trust_domain=\"cluster.local\"";
    assert_eq!(scrape.sum(name, &["kind=\"leaf\"", domain, "source=\"identity\""]), own);
    assert_eq!(scrape.sum(name, &["kind=\"leaf\"", domain, "source=\"identities.extra\""]), own);
    assert!(scrape.sum(name, &["kind=\"root\"", domain, "source=\"trust.cluster-1\""]) > own);
    assert_eq!(scrape.count(name, &[]), 4);
}

#[tokio::test]
async fn files_that_were_read_count_by_what_became_of_them() {
    let scene = Scene::set("").await;
    let scrape = scene.scrape();
    assert_eq!(scrape.sum("landbridge_build_info", &["version=\"1.2.3\"", "revision=\"abc\""]), 1);
    assert_eq!(scrape.sum("landbridge_access_log_dropped_total", &[]), 7);
    assert_eq!(scrape.sum("landbridge_events_dropped_total", &[]), 5);
    assert_eq!(scrape.sum("landbridge_clock_jumps_total", &[]), 3);
    assert_eq!(scrape.sum("landbridge_workers_hanging", &[]), 2);
    let updates = "landbridge_config_updates_total";
    assert_eq!(scrape.count(updates, &["source=\"file\"", "result=\"refused\""]), 1, "from the start, at 0");
    scene.metrics.config_file(Update::Applied);
    scene.metrics.config_file(Update::Refused);
    scene.metrics.config_file(Update::Refused);
    scene.metrics.certificates(Update::Refused);
    let scrape = scene.scrape();
    assert_eq!(scrape.sum(updates, &["source=\"file\"", "result=\"applied\""]), 1);
    assert_eq!(scrape.sum(updates, &["source=\"file\"", "result=\"refused\""]), 2);
    assert_eq!(scrape.sum("landbridge_certificate_reloads_total", &["result=\"refused\""]), 1);
    assert!(scrape.sum("landbridge_config_last_applied_timestamp_seconds", &["source=\"file\""]) > 0);
}

#[tokio::test]
async fn a_drain_shows_until_it_is_done() {
    let endpoint = Server::echo().await;
    let mut scene = Scene::set(&World::httpbin(&[endpoint.address], "")).await;
    let mut stream = scene.world.sidecar().connect(scene.gateway.address, HTTPBIN).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0; 1]).await.unwrap();
    assert_eq!(scene.scrape().sum("landbridge_draining", &[]), 0);
    scene.gateway.drain(Drain { lag: Duration::ZERO, deadline: Some(Duration::from_secs(3600)) });
    while scene.gateway.handle.phase() != Phase::Draining {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.scrape().sum("landbridge_draining", &[]), 1);
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    while scene.gateway.handle.phase() != Phase::Stopped {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.scrape().sum("landbridge_draining", &[]), 0);
}
