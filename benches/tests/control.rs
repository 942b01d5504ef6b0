//! `landbridge-bench control`, as its user runs it, with a few of everything.

#![cfg(test)]

use std::path::Path;
use std::process::Command;

use landbridge_testkit::peer;
use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_landbridge-bench");

#[test]
fn a_gateway_a_folder_and_a_fleet_are_measured_to_the_end() {
    let gateway = Path::new(BENCH).with_file_name("landbridge");
    let Some(gateway) = peer::find(&gateway.display().to_string(), "cargo build -p landbridge-cli") else {
        return;
    };
    let output = Command::new(BENCH)
        .args(["control", "--json", "--step", "gateway", "--step", "folder", "--step", "fleet"])
        .args([
            "--services",
            "30",
            "--fewer-services",
            "300",
            "--changes",
            "2",
            "--rounds",
            "1",
            "--gateways",
            "5",
        ])
        .arg("--gateway")
        .arg(gateway)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    for step in ["gateway", "folder", "fleet"] {
        let of_step = figures.iter().filter(|figure| figure["step"] == step);
        let names: Vec<&str> = of_step.map(|figure| figure["what"].as_str().unwrap()).collect();
        assert!(names.iter().any(|what| what.contains("change")), "{step}: {names:?}");
    }
    let by_digests =
        figures.iter().find(|figure| figure["what"] == "coming back by digests: lines of the gateway");
    assert!(by_digests.unwrap()["value"].as_f64().unwrap() > 2048.0, "{figures:?}");
}
