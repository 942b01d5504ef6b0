//! `landbridge-bench restarts` and `cuts`, as their users run them: briefly, with a gateway of this build.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use landbridge_testkit::peer;
use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_landbridge-bench");

fn gateway() -> Option<PathBuf> {
    let gateway = Path::new(BENCH).with_file_name("landbridge");
    peer::find(&gateway.display().to_string(), "cargo build -p landbridge-cli")
}

fn answer(arguments: &[&str], flag: &str, gateway: &Path) -> Value {
    let mut command = Command::new(BENCH);
    command.args(arguments).args(["--format", "json", flag]).arg(gateway);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap()
}

fn sum(answer: &Value, of: &str) -> u64 {
    let rows = answer["scenarios"].as_array().unwrap();
    let ways = rows.iter().flat_map(|row| ["forth", "back"].map(|way| row[way][of].as_u64().unwrap()));
    ways.sum()
}

#[test]
fn replicas_that_are_replaced_while_everything_changes_lose_no_byte_and_refuse_nobody() {
    let Some(gateway) = gateway() else { return };
    let few = ["restarts", "--rounds", "3", "--connections", "60", "--concurrency", "3", "--streams", "3"];
    let answer = answer(&few, "--gateway", &gateway);
    assert_eq!((&answer["good"], &answer["replicas"]["good"]), (&true.into(), &true.into()));
    assert!(answer["replicas"]["replaced"].as_u64().unwrap() >= 3, "{answer}");
    assert_eq!(answer["replicas"]["cut"], 0);
    assert!(answer["reloads"].as_u64().unwrap() >= 3, "{answer}");
    let rows = answer["scenarios"].as_array().unwrap();
    assert_eq!(rows.len(), 6, "each mode comes and goes, and lasts: {answer}");
    let connections: u64 = rows.iter().map(|row| row["connections"].as_u64().unwrap()).sum();
    assert_eq!(sum(&answer, "exact"), 2 * connections);
    assert!(rows.iter().all(|row| row["connections"].as_u64().unwrap() > 0), "{answer}");
}

#[test]
fn streams_that_are_cut_at_any_byte_are_never_complete() {
    let Some(gateway) = gateway() else { return };
    let answer = answer(&["cuts", "--streams", "100", "--bytes", "8000"], "--landbridge", &gateway);
    assert_eq!(answer["good"], true);
    assert!(sum(&answer, "cut_truthfully") >= 100, "{answer}");
    let rows = answer["scenarios"].as_array().unwrap();
    for mode in ["terminate", "passthrough", "raw"] {
        let killed = format!("{mode} client-killed");
        assert!(rows.iter().any(|row| row["scenario"] == *killed.as_str()), "{answer}");
    }
}
