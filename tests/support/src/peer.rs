//! Real peers: found, or skipped loudly, or demanded.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

/// Finds a program that a test needs.
///
/// Where it is absent, says so with the command that would enable the test, and returns `None`; with
/// `LANDBRIDGE_REQUIRE_PEERS` set, that is a failure.
pub fn find(program: &str, enable: &str) -> Option<PathBuf> {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    if found.status.success() {
        return Some(PathBuf::from(String::from_utf8(found.stdout).unwrap().trim()));
    }
    #[expect(clippy::disallowed_methods, reason = "tests are switched by the environment")]
    let required = std::env::var_os("LANDBRIDGE_REQUIRE_PEERS").is_some_and(|value| !value.is_empty());
    assert!(!required, "{program} is absent, and LANDBRIDGE_REQUIRE_PEERS is set; to enable: {enable}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not by a macro: those of passing tests are captured, and a skip should be seen.
    let said = writeln!(std::io::stderr(), "SKIPPED {test}: {program} is absent; to enable: {enable}");
    said.expect("standard error can be written to");
    None
}
