//! Both families of addresses, alone and together.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use landbridge_testkit::client::Saw;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::Value;

use crate::scene::{FIRST, Networks, Scene, echoes};

/// The interfaces behind loopback, in the order in which they were made.
const FIRST_INTERFACE: u32 = 2;
const SECOND_INTERFACE: u32 = 3;

async fn served(mut client: Wire) {
    echoes(&mut client).await;
    client.finish().await;
    assert_eq!(client.end().await, Saw::End);
}

fn begins(line: &Value, key: &str, expected: &str) {
    let address = line[key].as_str().unwrap_or_default();
    assert!(address.strip_prefix(expected).is_some_and(|port| port.parse::<u16>().is_ok()), "{key}: {line}");
}

#[tokio::test]
async fn ipv6_alone_is_enough() {
    let Some(networks) = Networks::lay(60).await else { return };
    let interfaces = [
        (&networks.near, "near"),
        (&networks.middle, "front"),
        (&networks.middle, "back"),
        (&networks.far, "far"),
    ];
    for (namespace, name) in interfaces {
        namespace.ip(&format!("-4 addr flush dev {name}")).await.unwrap();
    }
    let endpoint = networks.echo("fd02::2").await;
    let services = World::httpbin(&[endpoint.address], "");
    let scene = Scene::listening(networks, "[fd01::1]", &services, "").await;
    served(scene.call().await).await;
    let lines = scene.holds_after(1).await;
    begins(&lines[0], "downstream_remote_address", "[fd01::2]:");
    begins(&lines[0], "downstream_local_address", "[fd01::1]:");
    begins(&lines[0], "upstream_host", "[fd02::2]:");
    begins(&lines[0], "upstream_local_address", "[fd02::1]:");
}

#[tokio::test]
async fn one_listener_takes_both_families_and_logs_each_address_as_what_it_is() {
    let Some(networks) = Networks::lay(61).await else { return };
    let endpoint = networks.echo(FIRST).await;
    // The same, written as an IPv6 address.
    let mapped = SocketAddr::from(("::ffff:10.2.0.2".parse::<Ipv6Addr>().unwrap(), endpoint.address.port()));
    let scene = Scene::set(networks, &[mapped], "").await;
    served(scene.call().await).await;
    let over_ipv6 = SocketAddr::new("fd01::1".parse().unwrap(), scene.address.port());
    served(scene.call_at(over_ipv6, HTTPBIN).await).await;
    let lines = scene.holds_after(2).await;
    begins(&lines[0], "downstream_remote_address", "10.1.0.2:");
    begins(&lines[0], "downstream_local_address", "10.1.0.1:");
    begins(&lines[1], "downstream_remote_address", "[fd01::2]:");
    begins(&lines[1], "downstream_local_address", "[fd01::1]:");
    for line in &lines {
        begins(line, "upstream_local_address", "10.2.0.1:");
    }
}

#[tokio::test]
async fn link_local_addresses_work_on_either_side_with_the_interface_they_belong_to() {
    let Some(networks) = Networks::lay(62).await else { return };
    networks.far.ip("addr add fe80::a/64 dev far nodad").await.unwrap();
    networks.middle.ip("addr add fe80::b/64 dev back nodad").await.unwrap();
    let endpoint = networks.echo("::").await;
    let scoped =
        |ip: &str, port, scope| SocketAddr::V6(SocketAddrV6::new(ip.parse().unwrap(), port, 0, scope));
    let behind = scoped("fe80::a", endpoint.address.port(), SECOND_INTERFACE);
    let scene = Scene::set(networks, &[behind], "").await;
    let gateway = scoped("fe80::1", scene.address.port(), FIRST_INTERFACE);
    served(scene.call_at(gateway, HTTPBIN).await).await;
    let lines = scene.holds_after(1).await;
    begins(&lines[0], "downstream_remote_address", "[fe80::2%2]:");
    begins(&lines[0], "upstream_host", "[fe80::a%3]:");
}
