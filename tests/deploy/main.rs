//! What `deploy/` ships: each file is one that its own tools take, and says what the gateway's
//! configuration and the other files say.

#![cfg(test)]

mod image;
mod kustomize;
mod rendered;
mod systemd;
mod walkthrough;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use landbridge::config::{Accepted, Config, Source, parse};

/// What a supervisor grants beyond `timeouts.drain`, before it kills.
const AFTER_DRAIN: Duration = Duration::from_secs(5);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a program writes; it must be content.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// A configuration that the gateway takes.
fn configuration(name: &str, text: &str) -> Accepted {
    parse(text, &Source { name: name.to_owned(), dir: PathBuf::from("/etc/landbridge") })
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// How long the gateway may take to stop.
fn grace(config: &Config) -> Duration {
    config.gateway.timeouts.drain.expect("a drain without an end outlives every supervisor") + AFTER_DRAIN
}
