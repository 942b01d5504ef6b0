//! Bounds: what strangers choose leaves no trace, and what there is much of shares a label value.

use std::sync::Arc;

use landbridge::service::EndpointSpec;
use landbridge::{Desired, Reason, Service, Snapshot};
use landbridge_testkit::client::{client_hello, raw};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::World;

use crate::scene::Scene;

#[tokio::test]
async fn names_that_strangers_make_up_leave_no_series() {
    let endpoint = Server::echo().await;
    let mut scene = Scene::set(&World::httpbin(&[endpoint.address], "")).await;
    let sidecar = scene.world.sidecar();
    let series = |text: &str| text.lines().count();
    let before = series(&scene.scrape().0);
    for number in 0..300 {
        let hello = client_hello(&sidecar, &format!("outbound_.80_._.made-up-{number}.example.com"));
        raw(scene.gateway.address, &[&hello]).await.unwrap();
        assert_eq!(scene.gateway.outcome().await.reason, Reason::SniUnknown);
    }
    let after = scene.scrape();
    assert_eq!(series(&after.0), before);
    assert!(!after.0.contains("made-up"));
    assert_eq!(after.sum("landbridge_connections_refused_total", &["reason=\"no_route\""]), 300);
}

#[tokio::test]
async fn the_services_beyond_two_thousand_share_one_label_value_and_the_body_stays_small() {
    let endpoint = Server::nobody().await;
    let services = (0..100_000).map(|number| Service {
        endpoints: [EndpointSpec::at(endpoint)].into(),
        ..Service::terminate(&format!("s{number}.default.svc.cluster.local"), 80)
    });
    let scene = Scene::set("").await;
    let services = Arc::new(Snapshot::new(services.collect()).unwrap());
    scene.gateway.offer(Desired { services, credentials: scene.gateway.handle.credentials() });
    scene.gateway.until("all services", |handle| !handle.services("", 1).is_empty()).await;
    for _ in 0..2 {
        let scrape = scene.scrape();
        assert_eq!(scrape.count("landbridge_route_endpoints", &[]), 2 * 2001);
        let other = ["service=\"other\"", "state=\"usable\""];
        assert_eq!(scrape.sum("landbridge_route_endpoints", &other), 98_000);
        assert_eq!(scrape.sum("landbridge_route_endpoints", &[]), 100_000);
        assert!(scrape.0.len() < 1_000_000, "{}", scrape.0.len());
    }
}
