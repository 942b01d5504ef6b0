//! Endpoints that are told who the client is.

use std::net::SocketAddr;

use landbridge::outcome::Reason;
use landbridge_testkit::client::client_hello;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::{Port, Program, haproxy, nginx};

fn passthrough(endpoint: SocketAddr) -> String {
    format!(
        "[[service]]\nsni = [\"db.example\"]\nmode = \"passthrough\"\nsend_proxy = \"v2\"\n\
         endpoints = [{{ address = \"{endpoint}\" }}]\n"
    )
}

/// Passes a ClientHello for `db.example` through to an endpoint that echoes; returns the client's address.
async fn pass_through(world: &World, gateway: SocketAddr) -> SocketAddr {
    let hello = client_hello(&world.sidecar(), "db.example");
    let mut tcp = TcpStream::connect(gateway).await.unwrap();
    let client = tcp.local_addr().unwrap();
    tcp.write_all(&hello).await.unwrap();
    tcp.shutdown().await.unwrap();
    let mut echoed = Vec::new();
    tcp.read_to_end(&mut echoed).await.unwrap();
    assert_eq!(echoed, hello);
    client
}

/// What an endpoint should know of a connection, as both programs are told to log it.
fn expected(client: SocketAddr, gateway: SocketAddr, name: &str) -> String {
    let (from, to) = (client.port(), gateway.port());
    format!("{} {from} {} {to} {name}", client.ip(), gateway.ip())
}

#[tokio::test]
async fn haproxy_knows_the_client_and_the_name_that_it_asked_for() {
    let Some(program) = haproxy() else { return };
    let (world, echo) = (World::default(), Server::echo().await);
    let port = Port::reserve();
    let format = "log-format \"told %ci %cp %[dst] %[dst_port] %[fc_pp_authority]\"";
    let listen = format!(
        "  bind {} accept-proxy\n  log global\n  {format}\n  server echo {}",
        port.address, echo.address
    );

    let mut endpoint = Program::haproxy(&program, &listen).await;
    let services = World::httpbin(&[port.address], "send_proxy = \"v2\"");
    let mut gateway = world.gateway(&services).await;
    let mut stream = world.sidecar().connect(gateway.address, HTTPBIN).await.unwrap();
    let client = stream.get_ref().0.local_addr().unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"hello");
    assert_eq!(gateway.outcome().await.reason, Reason::Done);
    assert_eq!(endpoint.says("told ").await, expected(client, gateway.address, HTTPBIN));

    // The same of a service that is passed through, by a HAProxy that has logged nothing yet.
    let port = Port::reserve();
    let listen = format!(
        "  bind {} accept-proxy\n  log global\n  {format}\n  server echo {}",
        port.address, echo.address
    );
    let mut endpoint = Program::haproxy(&program, &listen).await;
    let gateway = world.gateway(&passthrough(port.address)).await;
    let client = pass_through(&world, gateway.address).await;
    assert_eq!(endpoint.says("told ").await, expected(client, gateway.address, "db.example"));
}

#[tokio::test]
async fn nginx_knows_the_client() {
    let Some(program) = nginx() else { return };
    let (world, echo) = (World::default(), Server::echo().await);
    let port = Port::reserve();
    let server = format!("listen {} reuseport proxy_protocol; proxy_pass {};", port.address, echo.address);
    let told = "told $proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr \
                $proxy_protocol_server_port -";
    let mut endpoint = Program::nginx(&program, told, &server).await;
    // A header of a service that terminates is more than nginx before 1.23.3 reads (107 bytes).
    let gateway = world.gateway(&passthrough(port.address)).await;
    let client = pass_through(&world, gateway.address).await;
    assert_eq!(endpoint.says("told ").await, expected(client, gateway.address, "-"));
}
