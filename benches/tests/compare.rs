//! `landbridge-bench compare`, as its user runs it: a very small part of every job, for Landbridge and the baseline.

#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::Command;

use landbridge_testkit::peer;
use landbridge_testkit::pki::Folder;
use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_landbridge-bench");

#[test]
fn every_job_has_its_figures_for_landbridge_and_the_baseline() {
    let gateway = Path::new(BENCH).with_file_name("landbridge");
    let Some(gateway) = peer::find(&gateway.display().to_string(), "cargo build -p landbridge-cli") else {
        return;
    };
    let folder = Folder::default();
    let drawing = folder.path().join("bars.svg");
    let compared = Command::new(BENCH)
        .args(["compare", "--only", "landbridge,afternoon", "--rounds", "1", "--scale", "0.002"])
        .args(["--format", "json", "--gateway"])
        .arg(gateway)
        .arg("--svg")
        .arg(&drawing)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&compared.stderr).into_owned();
    assert!(compared.status.success(), "{errors}");
    let answer: Value = serde_json::from_slice(&compared.stdout).unwrap();
    let figures = answer["figures"].as_array().unwrap();
    let of = |job: &str, gateway: &str| -> Vec<&Value> {
        figures.iter().filter(|figure| figure["job"] == job && figure["gateway"] == gateway).collect()
    };
    for gateway in ["landbridge", "afternoon"] {
        for (job, count) in [
            ("t-handshake", 1),
            ("t-resumed", 1),
            ("t-up", 1),
            ("t-down", 1),
            ("t-ping-pong", 1),
            ("t-idle", 2),
            ("p-connection", 1),
            ("p-up", 1),
            ("p-down", 1),
            ("p-ping-pong", 1),
            ("p-idle", 2),
            ("routes-10000", 4),
            ("routes-100000", 4),
        ] {
            let figures = of(job, gateway);
            assert_eq!(figures.len(), count, "{gateway}, {job}: {answer:#}");
            assert!(figures.iter().all(|figure| figure["rounds"].as_array().unwrap().len() == 1));
            // Ten connections may fit into memory that is there already.
            let counted = |figure: &&Value| figure["median"].as_f64().unwrap() > 0.0;
            assert!(job.ends_with("-idle") || figures.iter().all(counted), "{gateway}, {job}: {answer:#}");
        }
    }
    assert_eq!(of("t-handshake", "afternoon")[0]["to_afternoon"], 1.0);
    assert_eq!(of("t-handshake", "landbridge")[0]["to_envoy"], Value::Null);
    assert_eq!(answer["gateways"].as_array().unwrap().len(), 2);
    assert!(fs::read_to_string(drawing).unwrap().contains(">T: full mTLS handshake: "));
}

#[test]
fn a_comparison_without_landbridge_says_what_to_build() {
    let compared =
        Command::new(BENCH).args(["compare", "--gateway", "/nowhere/landbridge"]).output().unwrap();
    assert_eq!(compared.status.code(), Some(1));
    let said = String::from_utf8_lossy(&compared.stderr).into_owned();
    assert!(said.contains("landbridge-cli"), "{said}");
}
