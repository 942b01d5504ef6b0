//! `landbridge-bench soak`, as its user runs it: for a few seconds, with a gateway of this build.

#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::Command;

use landbridge_testkit::peer;
use landbridge_testkit::pki::Folder;
use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_landbridge-bench");

#[test]
fn everything_at_once_loses_nothing_tells_nothing_false_and_leaves_nothing_behind() {
    let gateway = Path::new(BENCH).with_file_name("landbridge");
    let Some(gateway) = peer::find(&gateway.display().to_string(), "cargo build -p landbridge-cli") else {
        return;
    };
    let folder = Folder::default();
    let drawing = folder.path().join("memory.svg");
    let soak = Command::new(BENCH)
        .args(["soak", "--format", "json", "--time", "4s", "--rate", "25", "--streams", "4"])
        .args(["--every", "300ms", "--sample", "500ms", "--idle", "500ms"])
        .arg("--gateway")
        .arg(gateway)
        .arg("--svg")
        .arg(&drawing)
        .output()
        .unwrap();
    let said = String::from_utf8(soak.stdout).unwrap();
    let errors = String::from_utf8_lossy(&soak.stderr);
    assert!(soak.status.success(), "{said}{errors}");
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(answer["faults"], Value::Array(Vec::new()));
    assert_eq!(answer["panics"], Value::Array(Vec::new()));
    assert_eq!(answer["checked"]["good"], true);
    assert_eq!(answer["idle"]["active"], 0.0);
    assert!(!answer["samples"].as_array().unwrap().is_empty());
    let rows = answer["checked"]["scenarios"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["scenario"] == name).unwrap();
    for way in ["forth", "back"] {
        assert_eq!(row("steady")[way]["exact"], 4, "{said}");
    }
    assert!(row("clean")["connections"].as_u64().unwrap() >= 3, "{said}");
    assert!(fs::read_to_string(drawing).unwrap().contains("<polyline "));
}

#[test]
fn a_run_without_a_gateway_says_what_to_build() {
    let soak = Command::new(BENCH).args(["soak", "--gateway", "/nowhere/landbridge"]).output().unwrap();
    assert_eq!(soak.status.code(), Some(1));
    let said = String::from_utf8_lossy(&soak.stderr).into_owned();
    assert!(said.contains("/nowhere/landbridge") && said.contains("landbridge-cli"), "{said}");
}
