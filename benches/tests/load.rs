//! `landbridge-bench load`, as its user runs it: few operations, and gateways in this process.

#![cfg(test)]

use std::net::SocketAddr;
use std::process::{Output, Stdio};

use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::Value;
use tokio::process::Command;

async fn load(world: &World, gateway: SocketAddr, job: &str, more: &[&str]) -> Output {
    world.folder.write_svid("sleep", &world.sleep_svid());
    let mut command = Command::new(env!("CARGO_BIN_EXE_landbridge-bench"));
    command.args([
        "load",
        job,
        "--sni",
        HTTPBIN,
        "--connections",
        "3",
        "--operations",
        "6",
        "--bytes",
        "3000000",
    ]);
    command.args(["--rate", "200", "--settle", "0s", "--format", "json"]);
    command.args(["--client-cert", "sleep.pem", "--client-key", "sleep.key", "--ca", "cluster-2.pem"]);
    command.arg("--gateway").arg(gateway.to_string()).arg("--pid").arg(std::process::id().to_string());
    command.args(more).current_dir(world.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    landbridge_testkit::soon("the load's answer", command.output()).await.unwrap()
}

fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn every_job_is_done_in_tls_and_behind_a_bare_hello() {
    let world = World::default();
    let endpoint = Server::nobody().await;
    let resuming = format!("[tls]\nresumption = true\n{}", World::httpbin(&[endpoint], ""));
    let terminated = world.gateway(&resuming).await;
    let passed = world.gateway(&World::httpbin_passed_through(&[endpoint], "")).await;
    let upstream = endpoint.to_string();
    for (gateway, speech) in [(&terminated, "tls"), (&passed, "raw")] {
        let more = ["--upstream", &upstream, "--speech", speech];
        for job in ["handshake", "ping-pong", "open-loop", "idle"] {
            let said = answer(&load(&world, gateway.address, job, &more).await);
            let operations = if job == "idle" { 3 } else { 6 };
            assert_eq!(said["operations"], operations, "{job}, {speech}: {said:#}");
            // Threads of other tests end meanwhile, so that this process may seem to have had less than nothing.
            assert!(said["cpu_us_each"].is_f64(), "{job}, {speech}: {said:#}");
            let shaken = said["handshakes"]["full"].as_u64().unwrap();
            assert_eq!(shaken > 0, speech == "tls", "{job}: {said:#}");
        }
        for (job, bytes) in [("up", 3_000_000), ("down", 3_000_000), ("both", 6_000_000)] {
            let said = answer(&load(&world, gateway.address, job, &more).await);
            assert_eq!(said["bytes"], bytes, "{job}, {speech}: {said:#}");
        }
    }
    let said = answer(&load(&world, terminated.address, "resumed", &["--upstream", &upstream]).await);
    assert_eq!((&said["handshakes"]["full"], &said["handshakes"]["resumed"]), (&0.into(), &6.into()));
}

#[tokio::test]
async fn an_endpoint_that_merely_echoes_will_do_for_small_messages() {
    let world = World::default();
    let echo = Server::echo().await;
    let gateway = world.gateway(&World::httpbin(&[echo.address], "")).await;
    let said = answer(&load(&world, gateway.address, "ping-pong", &["--threads", "2"]).await);
    assert_eq!(said["operations"], 6);
    assert!(said["took_us"]["p50"].as_f64().unwrap() > 0.0, "{said:#}");
}

#[tokio::test]
async fn sessions_that_are_not_resumed_make_the_job_fail() {
    let world = World::default();
    let endpoint = Server::nobody().await;
    let gateway = world.gateway(&World::httpbin(&[endpoint], "")).await;
    let output = load(&world, gateway.address, "resumed", &["--upstream", &endpoint.to_string()]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("0 of 6 sessions were resumed"), "{said}");
}
