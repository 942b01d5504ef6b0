//! `deploy/systemd`: the unit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use landbridge_testkit::peer;

use crate::{configuration, grace, read, said};

const UNIT: &str = "deploy/systemd/landbridge.service";
const PROGRAM: &str = "/usr/local/bin/landbridge";
const ENABLE: &str = "apt-get install systemd";

/// Every value of a setting, in order.
fn values(setting: &str) -> Vec<String> {
    let unit = read(UNIT);
    let of_line = |line: &str| line.strip_prefix(setting)?.strip_prefix('=').map(str::to_owned);
    unit.lines().filter_map(of_line).collect()
}

/// The unit with a program that is there, since systemd looks for it.
fn with_a_program_that_exists() -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("landbridge.service");
    fs::write(&file, read(UNIT).replace(PROGRAM, "/bin/true")).unwrap();
    file
}

#[test]
fn the_socket_is_the_port_of_the_configuration_and_the_service_accepts_from_it() {
    let socket = read("deploy/systemd/landbridge.socket");
    let defaults = configuration("defaults", "").config;
    let addresses: Vec<String> =
        defaults.gateway.listener.addresses.iter().map(|address| format!("ListenStream={address}")).collect();
    let listens: Vec<&str> = socket.lines().filter(|line| line.starts_with("ListenStream=")).collect();
    assert_eq!(listens, addresses);
    // One process for all connections, and IPv4 on the same socket as the gateway itself has it.
    assert!(!socket.contains("Accept=") && socket.contains("\nBindIPv6Only=both\n"));
    let Some(analyze) = peer::find("systemd-analyze", ENABLE) else { return };
    let service = with_a_program_that_exists();
    let file = service.with_file_name("landbridge.socket");
    fs::write(&file, socket).unwrap();
    let output = Command::new(analyze).arg("verify").args([&file, &service]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("landbridge")).collect();
    assert!(output.status.success() && ours.is_empty(), "{told}");
}

#[test]
fn the_unit_outlives_the_drain_by_five_seconds() {
    let defaults = configuration("defaults", "").config;
    assert_eq!(values("TimeoutStopSec"), [grace(&defaults).as_secs().to_string()]);
    assert_eq!(values("KillSignal"), ["SIGTERM"]);
}

#[test]
fn a_reload_validates_before_it_signals() {
    let file = "-c /etc/landbridge/gateway.toml";
    assert_eq!(values("ExecStart"), [format!("{PROGRAM} run {file}")]);
    assert_eq!(
        values("ExecReload"),
        [format!("{PROGRAM} validate {file}"), "/bin/kill -HUP $MAINPID".into()]
    );
    assert_eq!(values("Restart"), ["always"]);
}

#[test]
fn systemd_finds_no_fault_in_the_unit() {
    let Some(analyze) = peer::find("systemd-analyze", ENABLE) else { return };
    let output = Command::new(analyze).arg("verify").arg(with_a_program_that_exists()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    // It also tells of faults in units that this one only stands beside.
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("landbridge")).collect();
    assert!(output.status.success() && ours.is_empty(), "{told}");
}

#[test]
fn the_unit_may_do_nothing_that_the_gateway_does_not_need() {
    assert_eq!(values("DynamicUser"), ["yes"]);
    assert_eq!(values("NoNewPrivileges"), ["yes"]);
    assert_eq!(values("ProtectSystem"), ["strict"]);
    assert_eq!(values("CapabilityBoundingSet"), [""]);
    let Some(analyze) = peer::find("systemd-analyze", ENABLE) else { return };
    // In tenths: 1.4 as of systemd 252, most of it the network, which a gateway does need.
    let review = ["security", "--no-pager", "--offline=true", "--threshold=20"];
    said(Command::new(analyze).args(review).arg(with_a_program_that_exists()));
}
