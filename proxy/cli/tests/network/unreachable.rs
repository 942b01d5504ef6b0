//! Endpoints that can't be reached, and a gateway that has no port left to reach them from.

use landbridge_testkit::client::Saw;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::HTTPBIN;

use crate::scene::{FIRST, Networks, SECOND, Scene, echoes, told};

/// Where packets to an address end, and what the log says where there is no other endpoint.
const DEAD_ENDS: [(&str, &str, &str, &str); 6] = [
    (
        "an ICMP message says that the host is unreachable",
        "10.3.0.1:80",
        "connect_failed",
        "No route to host",
    ),
    ("an ICMP message says that it is forbidden", "10.3.0.2:80", "connect_failed", "No route to host"),
    ("nobody answers", "10.3.0.3:80", "connect_timeout", "timed out"),
    ("our own table says unreachable", "10.4.0.1:80", "connect_failed", "No route to host"),
    ("our own table forbids it", "10.4.0.2:80", "connect_failed", "Permission denied"),
    ("our own table drops it", "10.4.0.3:80", "connect_failed", "Invalid argument"),
];
const KINDS: [&str; 3] = ["unreachable", "prohibit", "blackhole"];
/// Short enough to wait for, and longer than a hedge.
const TIMEOUTS: &str = "connect = \"600ms\"\nconnect_total = \"2s\"";

/// Networks with the dead ends.
async fn laid(seed: u64) -> Option<Networks> {
    let networks = Networks::lay(seed).await?;
    networks.far.sysctl("ipv4/ip_forward", "1").await;
    networks.middle.ip("route add 10.3.0.0/24 dev back").await.unwrap();
    for (number, kind) in (1..).zip(KINDS) {
        networks.far.ip(&format!("route add {kind} 10.3.0.{number}")).await.unwrap();
        networks.middle.ip(&format!("route add {kind} 10.4.0.{number}")).await.unwrap();
    }
    // Messages about errors are rationed; here each counts.
    networks.far.sysctl("ipv4/icmp_ratelimit", "0").await;
    Some(networks)
}

/// The usual service with these endpoints, the first of which is asked first.
fn service(endpoints: &[&str]) -> String {
    let lines: Vec<String> = (0..)
        .zip(endpoints)
        .map(|(priority, address)| format!("{{ address = \"{address}\", priority = {priority} }}"))
        .collect();
    landbridge_testkit::world::World::httpbin(&[], "")
        .replace("endpoints = []", &format!("endpoints = [{}]", lines.join(", ")))
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_nothing_that_a_caller_notices() {
    for (case, dead_end, _, _) in DEAD_ENDS {
        let Some(networks) = laid(70).await else { return };
        let endpoint = networks.echo(FIRST).await;
        let services = service(&[dead_end, &endpoint.address.to_string()]);
        let scene = Scene::serving(networks, &services, TIMEOUTS).await;
        let mut client = scene.call().await;
        echoes(&mut client).await;
        client.finish().await;
        assert_eq!(client.end().await, Saw::End, "{case}");
        let lines = scene.holds_after(1).await;
        assert_eq!(told(&lines[0]), ("-", ""), "{case}: {lines:?}");
        assert_eq!(lines[0]["upstream_attempts"], 2, "{case}: {lines:?}");
        assert_eq!(lines[0]["upstream_host"], endpoint.address.to_string(), "{case}");
    }
}

#[tokio::test]
async fn where_no_endpoint_can_be_reached_the_log_says_what_the_network_said() {
    for (case, dead_end, reason, said) in DEAD_ENDS {
        let Some(networks) = laid(71).await else { return };
        let scene = Scene::serving(networks, &service(&[dead_end]), TIMEOUTS).await;
        assert_eq!(scene.call().await.end().await, Saw::Reset, "{case}");
        let lines = scene.holds_after(1).await;
        assert_eq!(told(&lines[0]), ("UF", reason), "{case}: {lines:?}");
        let error = lines[0]["upstream_transport_failure_reason"].as_str().unwrap_or_default();
        assert!(error.contains(said), "{case}: {error}");
    }
}

#[tokio::test]
async fn when_there_is_no_port_left_for_one_endpoint_another_is_taken_and_then_the_call_refused() {
    /// As many as the gateway has for each endpoint.
    const PORTS: usize = 4;
    let Some(networks) = Networks::lay(72).await else { return };
    let (first, second) = (networks.echo(FIRST).await, networks.echo(SECOND).await);
    let services = service(&[&first.address.to_string(), &second.address.to_string()]);
    let scene = Scene::serving(networks, &services, TIMEOUTS).await;
    scene.networks.middle.sysctl("ipv4/ip_local_port_range", "50000 50003").await;

    let mut open: Vec<Wire> = Vec::new();
    for _ in 0..2 * PORTS {
        let mut client = scene.call().await;
        echoes(&mut client).await;
        open.push(client);
    }
    assert_eq!((first.accepted(), second.accepted()), (PORTS, PORTS));
    assert_eq!(scene.call().await.end().await, Saw::Reset);
    let refused = scene.logged(1).await.remove(0);
    assert_eq!(refused["requested_server_name"], HTTPBIN);
    assert_eq!(told(&refused), ("UF", "connect_failed"), "{refused}");
    let error = refused["upstream_transport_failure_reason"].as_str().unwrap_or_default();
    assert!(error.contains("Cannot assign requested address"), "{error}");

    // A port that is free again is used again, and the endpoints are none the worse for it.
    open.remove(0).reset();
    scene.logged(2).await;
    let mut client = scene.call().await;
    echoes(&mut client).await;
    open.push(client);
    for mut client in open {
        client.finish().await;
        assert_eq!(client.end().await, Saw::End);
    }
    scene.holds_after(2 * PORTS + 2).await;
}
