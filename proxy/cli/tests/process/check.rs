//! `landbridge check`: what keeps a configuration from working here, before it is tried.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use landbridge_testkit::pki::Mesh;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::World;
use rustls_pki_types::UnixTime;

use crate::{LANDBRIDGE, PORTS};

/// Exit code and report of a check of `toml`.
fn check(world: &World, toml: &str, arguments: &[&str]) -> (Option<i32>, String) {
    world.folder.write("gateway.toml", toml);
    let path = world.folder.path().join("gateway.toml");
    let output = Command::new(LANDBRIDGE).arg("check").arg("-c").arg(path).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// The lines of a report that begin so.
fn lines<'a>(report: &'a str, verdict: &str) -> Vec<&'a str> {
    report.lines().filter(|line| line.starts_with(verdict)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_order_passes_with_a_line_for_each_thing() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "");
    let (code, report) = check(&world, &toml, &[]);
    assert_eq!((code, lines(&report, "fail")), (Some(0), vec![]), "{report}");
    for line in [
        "ok    clock  20",
        "ok    identity  spiffe://cluster.local/ns/istio-system/sa/eastwest, expires in ",
        "ok    trust.cluster-1  1 of 1 roots valid, the last expires in ",
        "ok    listener  127.0.0.1:0",
        "ok    health  127.0.0.1:0",
        "ok    metrics  127.0.0.1:0",
        "ok    admin  127.0.0.1:0",
        "ok    httpbin.default.svc.cluster.local:8000  1 of 1 endpoints answer",
    ] {
        assert_eq!(lines(&report, line).len(), 1, "{line}:\n{report}");
    }
    assert!(report.contains("open files") && report.contains("accept queue"), "{report}");

    let (code, json) = check(&world, &toml, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["passed"]), (Some(0), &true.into()));
    let checks = json["checks"].as_array().unwrap();
    assert_eq!(checks.len(), report.lines().count());
    assert!(checks.iter().all(|check| check["verdict"] == "ok" || check["verdict"] == "warn"), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_are_taken_and_endpoints_that_are_silent_fail_and_a_silent_part_warns() {
    let world = World::default();
    let (endpoint, nobody) = (Server::echo().await, Server::nobody().await);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ports = PORTS.replacen("127.0.0.1:0", &address.to_string(), 1);
    let half = World::httpbin(&[endpoint.address, nobody], "").replace("httpbin.default", "half.default");
    let none = World::httpbin(&[], "").replace("httpbin.default", "none.default");
    let toml = ports + &World::head() + &World::httpbin(&[nobody], "") + &half + &none;
    let (code, report) = check(&world, &toml, &[]);
    assert_eq!(code, Some(1));
    let fails = lines(&report, "fail");
    assert_eq!(fails.len(), 2, "{report}");
    assert!(
        fails[0].contains(&format!("listener  {address}")) && fails[0].contains("another process has it")
    );
    assert!(fails[1].contains("httpbin.default") && fails[1].contains("0 of 1 endpoints answer"));
    assert!(fails[1].contains(&format!("{nobody}: Connection refused")), "{}", fails[1]);
    let warns = lines(&report, "warn").join("\n");
    assert!(warns.contains("half.default.svc.cluster.local:8000  1 of 2 endpoints answer"), "{report}");
    assert!(warns.contains("none.default.svc.cluster.local:8000  has no endpoint"), "{report}");
}

#[test]
fn names_are_resolved_and_held_to_the_rules() {
    let world = World::default();
    let host =
        World::httpbin(&[], "").replace("endpoints = []", "endpoints = [{ address = \"localhost:1\" }]");
    let (code, report) = check(&world, &(PORTS.to_owned() + &World::head() + &host), &[]);
    assert_eq!(code, Some(1));
    assert!(report.contains("localhost: 127.0.0.1 is a loopback"), "{report}");
}

#[test]
fn certificates_near_their_end_warn_and_those_beyond_it_fail() {
    let world = World::default();
    let now = UnixTime::now().as_secs();
    let at = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
    let aged = |from: u64, to: u64| {
        let mut options = Mesh::options();
        options.uris = vec![world.local.id("ns/istio-system/sa/eastwest")];
        options.validity.not_before = at(from);
        options.validity.not_after = at(to);
        world.local.issue(&options)
    };
    let toml = PORTS.to_owned() + &World::head();
    world.folder.write_svid("gateway", &aged(now - 9 * 3600, now + 3000));
    let (code, report) = check(&world, &toml, &[]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("warn  identity  spiffe://"), "{report}");
    assert!(report.contains("minutes (8 % of its life)  renew it"), "{report}");

    for (from, to, said) in
        [(now - 7200, now - 3600, "expired 36"), (now + 3600, now + 7200, "is not valid for")]
    {
        world.folder.write_svid("gateway", &aged(from, to));
        let (code, report) = check(&world, &toml, &[]);
        assert_eq!(code, Some(1), "{report}");
        assert!(lines(&report, "fail  certificates  ")[0].contains(said), "{report}");
        // What does not need certificates is looked at all the same.
        assert!(report.contains("ok    health"), "{report}");
    }
}

#[test]
fn a_broken_configuration_fails_with_all_its_mistakes() {
    let world = World::default();
    let (code, report) = check(&world, "[listener]\nadress = \"127.0.0.1:0\"\n[metrics]\naddress = 5\n", &[]);
    assert_eq!(code, Some(1));
    let fails = lines(&report, "fail  configuration  ");
    assert_eq!(fails.len(), 2, "{report}");
    assert!(fails[0].contains("gateway.toml:2:1") && fails[0].contains("did you mean"), "{report}");

    let limits = PORTS.to_owned() + &World::head() + "[limits]\nconnections = 900000000\n";
    let (code, report) = check(&world, &limits, &[]);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("900000000 connections need 1800000256"), "{report}");
}
