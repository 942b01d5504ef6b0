//! The command as its users meet it: a process with arguments, files, signals and an exit code.

#![cfg(test)]

mod access_log;
mod admin;
mod check;
mod config;
mod control;
mod demo;
mod deploy;
mod drain;
mod explain;
mod faults;
mod harden;
mod inherit;
mod metrics;
mod probe;
mod readme;
mod reserve;
mod rotation;
mod run;
mod signals;
mod validate;

/// The binary under test.
const LANDBRIDGE: &str = env!("CARGO_BIN_EXE_landbridge");

/// Every listener on a free port.
const PORTS: &str = r#"
[listener]
address = "127.0.0.1:0"
[health]
address = "127.0.0.1:0"
[metrics]
address = "127.0.0.1:0"
[admin]
address = "127.0.0.1:0"
"#;
