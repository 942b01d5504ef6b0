//! `landbridge-bench`: what measures and checks gateways, ours and others.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod afternoon;
mod compare;
mod control;
mod cost;
mod cuts;
mod ends;
mod flood;
mod gateways;
mod load;
mod memory;
mod process;
mod restarts;
mod revoke;
mod shared;
mod soak;
mod verify;

#[derive(Parser)]
#[command(name = "landbridge-bench", version, about = "Measures and checks gateways, Landbridge and others")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What the verification of a client costs, in instructions (needs valgrind)
    Cost(cost::Arguments),
    /// How soon live connections are cut whose caller may no longer call
    Revoke(revoke::Arguments),
    Load(load::Arguments),
    Shared(shared::Arguments),
    Compare(compare::Compare),
    /// What the configuration stream costs a gateway and a server, and how soon a change of it counts
    Control(control::Arguments),
    Afternoon(afternoon::Arguments),
    Soak(soak::Soak),
    Verify(Box<verify::Verify>),
    Ends(ends::Ends),
    Cuts(cuts::Cuts),
    Restarts(restarts::Restarts),
    /// How gateways serve their callers while strangers flood them
    Flood(flood::Arguments),
    /// What an idle connection costs a gateway in memory, and what readers who never read cost it
    Memory(memory::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Cost(arguments) => cost::run(&arguments),
        Command::Revoke(arguments) => revoke::run(&arguments),
        Command::Load(load) => load.run(),
        Command::Shared(arguments) => shared::run(&arguments),
        Command::Compare(compare) => compare.run(),
        Command::Control(arguments) => control::run(&arguments),
        Command::Afternoon(arguments) => afternoon::run(&arguments),
        Command::Soak(soak) => soak.run(),
        Command::Verify(verify) => verify.run(),
        Command::Ends(ends) => ends.run(),
        Command::Cuts(cuts) => cuts.run(),
        Command::Restarts(restarts) => restarts.run(),
        Command::Flood(arguments) => flood::run(&arguments),
        Command::Memory(arguments) => memory::run(&arguments),
    }
}
