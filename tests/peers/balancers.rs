//! Load balancers in front of the gateway: what they pass on, and what their health checks look like.
//!
//! They listen on a socket in the test's folder, so that no port has to be guessed.

use std::path::Path;
use std::process::Command;

use landbridge::outcome::Reason;
use landbridge_testkit::envoy::Template;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::http;
use landbridge_testkit::peer;
use landbridge_testkit::process::{Process, until};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::net::UnixStream;

use crate::scene::told;

pub(crate) const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Fills the places that both configurations have and writes the file.
fn write(world: &World, gateway: &TestGateway, file: &str, template: &str) {
    let filled = Template::new(template)
        .fill("FOLDER", &[&world.folder.path().to_string_lossy()])
        .fill("GATEWAY_PORT", &[&gateway.address.port().to_string()]);
    world.folder.write(file, filled.text());
}

/// Calls the usual service through the balancer once it listens, and checks that the endpoint answered.
async fn is_answered(world: &World, balancer: &mut Process) {
    let path = world.folder.path().join("balancer.sock");
    let stream = balancer.until("the balancer listens", async || UnixStream::connect(&path).await.ok()).await;
    let stream = world.sidecar().secure(stream, HTTPBIN).await.unwrap();
    let answer = http::ask_over(stream, "httpbin", "/get").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello from httpbin\n"));
}

#[tokio::test]
async fn nginx_that_reads_the_name_in_front_of_the_gateway_changes_nothing_for_the_caller() {
    let Some(program) = peer::find("nginx", "apt-get install nginx-light libnginx-mod-stream") else {
        return;
    };
    if !Path::new(NGINX_STREAM).exists() {
        peer::find(NGINX_STREAM, "apt-get install libnginx-mod-stream");
        return;
    }
    let world = World::default();
    let endpoint = Server::http("hello from httpbin\n").await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let template = include_str!("nginx.conf").replace("${MODULE}", NGINX_STREAM);
    write(&world, &gateway, "nginx.conf", &template);
    let mut command = Command::new(program);
    command.args(["-e", "stderr", "-p"]).arg(world.folder.path()).args(["-c", "nginx.conf"]);
    let mut balancer = Process::start(&mut command, world.folder.path());
    is_answered(&world, &mut balancer).await;
    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!(outcome.peer.unwrap().id.as_str(), "spiffe://cluster.local/ns/default/sa/sleep");
}

#[tokio::test]
async fn health_checks_of_haproxy_are_counted_and_not_told_and_calls_through_it_are_served() {
    let Some(program) = peer::find("haproxy", "apt-get install haproxy") else { return };
    let world = World::default();
    let endpoint = Server::http("hello from httpbin\n").await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    write(&world, &gateway, "haproxy.cfg", include_str!("haproxy.cfg"));
    let mut command = Command::new(program);
    command.args(["-db", "-f", "haproxy.cfg"]);
    let mut balancer = Process::start(&mut command, world.folder.path());
    is_answered(&world, &mut balancer).await;
    assert_eq!(told(&mut gateway).await.reason, Reason::Done);

    until("three health checks were counted", async || {
        (gateway.handle.count(Reason::Probe) >= 3).then_some(())
    })
    .await;
    assert!(gateway.told_everything());
    // None of them cost an endpoint anything.
    assert_eq!(endpoint.accepted(), 1);
    is_answered(&world, &mut balancer).await;
    assert_eq!(told(&mut gateway).await.reason, Reason::Done);
}
