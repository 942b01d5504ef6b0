//! `landbridge-bench verify` as a program, for what needs processes that are killed.

#![cfg(test)]

use std::net::SocketAddr;
use std::process::{Output, Stdio};

use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::process::Command;

/// Checks a gateway in this process; `endpoint` is where both think that the endpoint is.
async fn verify(world: &World, gateway: SocketAddr, endpoint: SocketAddr, more: &[&str]) -> Output {
    world.folder.write_svid("sleep", &world.sleep_svid());
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge-bench"));
    command.args(["verify", "--sni", HTTPBIN, "--connections", "6", "--bytes", "40000"]);
    command.args(["--client-cert", "sleep.pem", "--client-key", "sleep.key", "--ca", "cluster-2.pem"]);
    command.arg("--gateway").arg(gateway.to_string()).arg("--listen").arg(endpoint.to_string()).args(more);
    command.current_dir(world.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    landbridge_testkit::soon("the checker's answer", command.output()).await.unwrap()
}

#[tokio::test]
async fn clients_and_endpoints_that_are_killed_are_seen_to_be_cut() {
    let world = World::default();
    let endpoint = Server::nobody().await;
    let terminated = world.gateway(&World::httpbin(&[endpoint], "")).await;
    let passed = world.gateway(&World::httpbin_passed_through(&[endpoint], "")).await;
    for (gateway, mode) in [(&terminated, "terminate"), (&passed, "raw")] {
        let scenarios = ["--scenario", "client-killed,endpoint-killed", "--mode", mode];
        let output = verify(&world, gateway.address, endpoint, &scenarios).await;
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{mode}: {said}{}", String::from_utf8_lossy(&output.stderr));
        for (scenario, seen) in [("client-killed", "endpoint: 6 RST"), ("endpoint-killed", "client: 6 RST")] {
            let line = said.lines().find(|line| line.starts_with(scenario)).unwrap();
            assert!(line.contains(seen), "{mode}: {line}");
        }
    }
}

#[tokio::test]
async fn silence_that_ends_truthfully_passes_the_check_and_no_gateway_at_all_fails_it() {
    let world = World::default();
    let endpoint = Server::nobody().await;
    let idle = "[timeouts]\nidle = \"300ms\"\nhalf_close = \"300ms\"\n";
    let gateway = world.gateway(&format!("{idle}{}", World::httpbin(&[endpoint], ""))).await;
    let output = verify(&world, gateway.address, endpoint, &["--scenario", "idle", "--format", "json"]).await;
    assert!(output.status.success(), "a truthful end is none to complain of");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&answer["good"], &answer["scenarios"][0]["forth"]["cut_truthfully"]),
        (&true.into(), &6.into())
    );
    let nowhere = Server::nobody().await;
    let output = verify(&world, nowhere, endpoint, &["--scenario", "clean"]).await;
    assert_eq!(output.status.code(), Some(1));
}
