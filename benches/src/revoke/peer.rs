//! A process of the benchmark: started with a role, asked by line, answered by line.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use anyhow::{Context, ensure};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::events::Report;

/// A process with a role, as its parent has it. It ends when this is dropped.
pub(super) struct Peer {
    child: Child,
    /// Closed first, which ends the process.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    pub(super) fn start(role: &str, folder: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["revoke", "--role", role, "--folder"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start the {role}"))?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("it has no output")?);
        Ok(Self { child, orders, answers })
    }

    /// The first line of an endpoint.
    pub(super) fn address(&mut self) -> anyhow::Result<SocketAddr> {
        self.line()?.trim().parse().context("expected an address")
    }

    pub(super) fn ask(&mut self, order: &str) -> anyhow::Result<Report> {
        let orders = self.orders.as_mut().context("it takes no orders any more")?;
        writeln!(orders, "{order}").context("a process of the benchmark has ended")?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "a process of the benchmark has ended");
        Ok(line)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.orders = None;
        // Fails only where it has ended already.
        let _ = self.child.wait();
    }
}

/// The orders of this process's parent; none are left when the parent ends.
pub(super) fn orders() -> UnboundedReceiver<String> {
    let (given, orders) = unbounded_channel();
    thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if given.send(line).is_err() {
                return;
            }
        }
    });
    orders
}

pub(super) fn answer(report: &Report) -> anyhow::Result<()> {
    tell(&serde_json::to_string(report)?)
}

pub(super) fn tell(line: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
