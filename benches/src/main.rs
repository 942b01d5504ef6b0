//! `landbridge-bench`: what measures and checks gateways, ours and others.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "landbridge-bench", version, about = "Measures and checks gateways, Landbridge and others")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {}

fn main() -> ExitCode {
    match Arguments::parse().command {}
}
