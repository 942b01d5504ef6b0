//! The gateway in bad networks: loss, delay, corruption, black holes, peers that vanish or take nothing.
//!
//! Each test lays networks of its own, in namespaces without a name, and runs the real binary between them.
//! That takes root; where it is not permitted, the tests are skipped, loudly and never as a failure.

#![cfg(target_os = "linux")]
#![cfg(test)]

mod bystander;
mod exact;
mod scene;

mod corrupted;
mod families;
mod impaired;
mod narrow;
mod stalled;
mod storms;
mod unreachable;
mod vanished;

/// The binary under test.
const LANDBRIDGE: &str = env!("CARGO_BIN_EXE_landbridge");
