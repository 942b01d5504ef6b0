//! Notes the git revision for `--version`, and when that was, for a check of the clock.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    println!("cargo::rerun-if-changed=../../.git/refs/heads");
    let revision = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=LANDBRIDGE_REVISION={revision}");
    // Seconds since 1970; of the revision and not of the build, so that builds can be reproduced.
    let revised = git(&["log", "-1", "--format=%ct"]).unwrap_or_else(|| "0".to_owned());
    println!("cargo::rustc-env=LANDBRIDGE_REVISED={revised}");
}

fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
