//! Real peers: found, or skipped loudly, or demanded.

use std::io::Write;
use std::net::TcpListener;
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
    absent(program, enable);
    None
}

/// Says that something a test needs is absent, with what would enable the test; with
/// `LANDBRIDGE_REQUIRE_PEERS` set, that is a failure.
pub fn absent(what: &str, enable: &str) {
    #[expect(clippy::disallowed_methods, reason = "tests are switched by the environment")]
    let required = std::env::var_os("LANDBRIDGE_REQUIRE_PEERS").is_some_and(|value| !value.is_empty());
    assert!(!required, "{what} is absent, and LANDBRIDGE_REQUIRE_PEERS is set; to enable: {enable}");
    skip(&format!("{what} is absent; to enable: {enable}"));
}

/// Whether this machine has IPv6 on its loopback interface; says so where it has not.
pub fn has_ipv6() -> bool {
    let bound = TcpListener::bind("[::1]:0");
    if let Err(error) = &bound {
        skip(&format!(
            "::1 cannot be listened on ({error}); to enable: sysctl net.ipv6.conf.lo.disable_ipv6=0"
        ));
    }
    bound.is_ok()
}

/// Says that a test is skipped, and why: for want of what no package brings, so that it is never a failure.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not by a macro: those of passing tests are captured, and a skip should be seen.
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").expect("standard error can be written to");
}
