//! `landbridge validate`: every problem at once, with its place, in text and JSON.

use std::process::{Command, Output};

use landbridge_testkit::pki::Mesh;
use landbridge_testkit::world::World;

use crate::LANDBRIDGE;

fn validate(world: &World, toml: &str, arguments: &[&str]) -> (Option<i32>, String) {
    world.folder.write("gateway.toml", toml);
    let Output { status, stdout, .. } = Command::new(LANDBRIDGE)
        .args(["validate", "-c", "gateway.toml"])
        .args(arguments)
        .current_dir(world.folder.path())
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn a_file_in_order_is_valid_and_warnings_do_not_change_that() {
    let world = World::default();
    let toml = World::head() + &World::httpbin(&["192.0.2.1:80".parse().unwrap()], "");
    let (code, text) = validate(&world, &toml, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with("gateway.toml: valid: 1 service, 2 trust entries\n"), "{text}");

    let nobody = toml.lines().filter(|line| !line.starts_with("allow")).collect::<Vec<_>>().join("\n");
    let (code, text) = validate(&world, &nobody, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("warning") && text.contains("nobody may call"), "{text}");
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    let world = World::default();
    let toml = World::head()
        + r#"
[timeouts]
client_helo = "5s"
idle = "sometimes"

[[service]]
host = "httpbin.default.svc.cluster.local"
port = "http"
endpoints = [{ address = "192.0.2.1" }]
mode = "tunnel"
"#;
    let (code, text) = validate(&world, &toml, &[]);
    assert_eq!(code, Some(1));
    for said in ["client_helo", "client_hello", "idle", "port", "address", "mode", "passthrough"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(": error: ")).collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines.iter().all(|line| line.starts_with("gateway.toml:")), "{text}");
}

#[test]
fn files_that_the_configuration_names_are_checked_too() {
    let world = World::default();
    let toml = World::head() + &World::httpbin(&["192.0.2.1:80".parse().unwrap()], "");
    // Another key than the certificate's, and a bundle that is not there.
    world.folder.write("gateway.key", &Mesh::new("cluster.local").svid("ns/a/sa/b").key);
    std::fs::remove_file(world.folder.path().join("cluster-2.pem")).unwrap();
    let (code, text) = validate(&world, &toml, &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("gateway.pem") && text.contains("does not belong to the certificate"), "{text}");
    assert!(text.contains("cluster-2.pem"), "{text}");
}

#[test]
fn json_says_the_same_for_machines() {
    let world = World::default();
    let (code, text) = validate(&world, "[listenr]\n", &["--format", "json"]);
    assert_eq!(code, Some(1));
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["valid"], false);
    let problem = &report["problems"][0];
    assert_eq!((&problem["severity"], &problem["line"]), (&"error".into(), &1.into()));
    assert!(problem["help"].as_str().unwrap().contains("listener"), "{report}");
}
