//! The metrics of a running process: traffic, and what became of its files.

use std::fs;

use landbridge_testkit::command::{Running, http_get};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};

use crate::{LANDBRIDGE, PORTS};

/// The value of the one series that begins so.
pub(crate) fn value(running: &Running, series: &str) -> u64 {
    let (status, body) = http_get(running.metrics, "/stats/prometheus");
    assert_eq!(status, 200);
    let line = body.lines().find(|line| line.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("no {series} in:\n{body}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_tells_its_traffic_and_what_became_of_the_files_it_read() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "");
    world.folder.write("gateway.toml", &toml);
    let mut running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
    let answer = world.sidecar().ask(running.address, HTTPBIN, b"hello").await;
    assert_eq!(answer, Ok(b"hello".to_vec()));
    // The caller may be done before the worker has noted it.
    while value(&running, "istio_tcp_connections_opened_total") < 1 {}
    assert_eq!(value(&running, "landbridge_build_info"), 1);
    assert_eq!(value(&running, "landbridge_access_log_dropped_total"), 0);
    assert!(value(&running, "process_open_fds") > 0);

    let updates = |result| format!("landbridge_config_updates_total{{result=\"{result}\",source=\"file\"}}");
    let reloads = |result| format!("landbridge_certificate_reloads_total{{result=\"{result}\"}}");
    assert_eq!(value(&running, &updates("applied")), 1);
    assert_eq!(value(&running, &reloads("applied")), 1);
    assert_eq!((value(&running, &updates("refused")), value(&running, &reloads("refused"))), (0, 0));

    world.folder.write("gateway.toml", &(toml.clone() + "unknown_key = 1\n"));
    running.signal("HUP");
    running.event("the last good configuration keeps serving");
    while value(&running, &updates("refused")) < 1 {}
    assert_eq!(value(&running, &reloads("refused")), 0, "no certificate was read");

    world.folder.write("gateway.toml", &toml);
    fs::remove_file(world.folder.path().join("gateway.key")).unwrap();
    running.signal("HUP");
    running.event("the last good configuration keeps serving");
    while value(&running, &updates("refused")) < 2 {}
    // What is gone was noticed, too, or will be.
    assert!(value(&running, &reloads("refused")) >= 1);

    world.folder.write_svid("gateway", &world.local.svid("ns/istio-system/sa/eastwest"));
    running.signal("HUP");
    running.event("configuration applied");
    while value(&running, &updates("applied")) < 2 {}
    assert!(value(&running, &reloads("applied")) >= 2);
}
