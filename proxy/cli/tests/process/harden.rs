//! What the process gives up at its start, as the kernel tells it.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use landbridge_testkit::command::Running;
use landbridge_testkit::world::World;

use crate::{LANDBRIDGE, PORTS};

fn configured(ports: &str) -> World {
    let world = World::default();
    world.folder.write("gateway.toml", &(ports.to_owned() + &World::head() + &World::httpbin(&[], "")));
    world
}

#[cfg(target_os = "linux")]
#[test]
fn a_running_gateway_dumps_no_core_gains_no_privileges_and_is_nobody_s_to_read() {
    use std::os::unix::fs::MetadataExt as _;

    let world = configured(PORTS);
    let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
    let folder = format!("/proc/{}", running.id());
    let limits = fs::read_to_string(format!("{folder}/limits")).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
    let tasks: Vec<_> = fs::read_dir(format!("{folder}/task")).unwrap().flatten().collect();
    assert!(tasks.len() > 1, "the workers are threads of it");
    for task in tasks {
        let status = fs::read_to_string(task.path().join("status")).unwrap();
        assert!(status.lines().any(|line| line == "NoNewPrivs:\t1"), "{status}");
    }
    // Root owns the files of a process that is not dumpable; whoever is root cannot tell by that.
    if !rustix::process::geteuid().is_root() {
        assert_eq!(fs::metadata(format!("{folder}/environ")).unwrap().uid(), 0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_given_up_is_told_at_debug_level_and_being_root_is_warned_of() {
    // It ends by itself: its port is taken.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let world = configured(&PORTS.replacen("127.0.0.1:0", &taken.local_addr().unwrap().to_string(), 1));
    let said = |level: &str| {
        let mut command = Command::new(LANDBRIDGE);
        command.args(["run", "--log-level", level, "-c"]).arg(world.folder.path().join("gateway.toml"));
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    let text = said("debug");
    for step in ["no core dumps", "not dumpable", "no new privileges"] {
        let told = |line: &str| line.contains("hardened") && line.contains(step);
        assert!(text.lines().any(told), "{step}: {text}");
    }
    let text = said("info");
    assert!(!text.contains("harden"), "{text}");
    assert_eq!(text.contains("running as root"), rustix::process::geteuid().is_root(), "{text}");
}
