//! `landbridge-bench shared`, as its user runs it: a few times each.

#![cfg(test)]

use std::process::Command;

#[test]
fn everything_that_is_shared_is_done_by_one_thread_and_by_two() {
    let shared = Command::new(env!("CARGO_BIN_EXE_landbridge-bench"))
        .args(["shared", "--threads", "2", "--times", "1000", "--rounds", "1"])
        .output()
        .unwrap();
    assert!(shared.status.success(), "{}", String::from_utf8_lossy(&shared.stderr));
    let said = String::from_utf8(shared.stdout).unwrap();
    let rows: Vec<&str> = said.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(rows.len(), 8, "{said}");
    assert!(rows.iter().all(|row| row.matches('|').count() == 4), "{said}");
}
