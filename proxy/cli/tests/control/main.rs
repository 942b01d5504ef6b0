//! The stream of configuration with the real program at both of its ends: a server that reads a folder, and gateways.

#![cfg(test)]

mod crash;
mod disk;
mod guard;
mod live;
mod stage;
mod tls;
mod trust;

/// The binary under test.
const LANDBRIDGE: &str = env!("CARGO_BIN_EXE_landbridge");
