//! Load balancers that say who the client is.

use std::net::SocketAddr;

use landbridge::outcome::Reason;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::program::{Port, Program, haproxy, nginx};

/// A gateway that serves load balancers of this machine only.
async fn gateway(world: &World, endpoint: &Server) -> TestGateway {
    let listener =
        "[listener]\nproxy_protocol = \"required\"\nproxy_protocol_from = [\"127.0.0.1\", \"::1\"]\n";
    world.gateway(&format!("{listener}{}", World::httpbin(&[endpoint.address], ""))).await
}

/// Calls `httpbin` through the load balancer at `front`, and checks that the gateway knows who called.
async fn is_announced(world: &World, front: SocketAddr, gateway: &mut TestGateway) {
    let mut stream = world.sidecar().connect(front, HTTPBIN).await.unwrap();
    let client = stream.get_ref().0.local_addr().unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"hello");
    let outcome = gateway.outcome().await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!((outcome.downstream_remote, outcome.downstream_local), (client, front));
}

#[tokio::test]
async fn haproxy_announces_its_clients_in_either_version() {
    let Some(program) = haproxy() else { return };
    let (world, endpoint) = (World::default(), Server::echo().await);
    let mut gateway = gateway(&world, &endpoint).await;
    for how in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"] {
        let port = Port::reserve();
        let listen = format!("  bind {}\n  server gateway {} {how}", port.address, gateway.address);
        let _haproxy = Program::haproxy(&program, &listen).await;
        is_announced(&world, port.address, &mut gateway).await;
    }
}

#[tokio::test]
async fn health_checks_of_haproxy_are_counted_and_not_told() {
    let Some(program) = haproxy() else { return };
    let (world, endpoint) = (World::default(), Server::echo().await);
    let mut gateway = gateway(&world, &endpoint).await;
    for (round, how) in ["send-proxy", "send-proxy-v2"].into_iter().enumerate() {
        let port = Port::reserve();
        let server = format!("server gateway {} {how} check check-send-proxy inter 20ms", gateway.address);
        let _haproxy = Program::haproxy(&program, &format!("  bind {}\n  {server}", port.address)).await;
        let enough = u64::try_from(3 * (round + 1)).unwrap();
        while gateway.handle.count(Reason::Probe) < enough {
            tokio::task::yield_now().await;
        }
        assert!(gateway.told_everything());
        is_announced(&world, port.address, &mut gateway).await;
    }
}

#[tokio::test]
async fn nginx_announces_its_clients() {
    let Some(program) = nginx() else { return };
    let (world, endpoint) = (World::default(), Server::echo().await);
    let mut gateway = gateway(&world, &endpoint).await;
    let port = Port::reserve();
    let server =
        format!("listen {} reuseport; proxy_pass {}; proxy_protocol on;", port.address, gateway.address);
    let _nginx = Program::nginx(&program, "$status", &server).await;
    is_announced(&world, port.address, &mut gateway).await;
}

#[tokio::test]
async fn a_load_balancer_that_announces_nobody_is_refused() {
    let Some(program) = haproxy() else { return };
    let (world, endpoint) = (World::default(), Server::echo().await);
    let mut gateway = gateway(&world, &endpoint).await;
    let port = Port::reserve();
    let listen = format!("  bind {}\n  server gateway {}", port.address, gateway.address);
    let _haproxy = Program::haproxy(&program, &listen).await;
    assert!(world.sidecar().connect(port.address, HTTPBIN).await.is_err());
    assert_eq!(gateway.outcome().await.reason, Reason::ProxyHeader);
    assert_eq!(endpoint.accepted(), 0);
}
