//! What needs a process to die: the client's, the endpoint's, the gateway's.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use landbridge_streams::{Board, Load, Record, Scenario, Score, Sent, Stand, judge};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::parties::Setup;

/// How long after a death something is to be heard of a connection that stood.
const AFTERMATH: Duration = Duration::from_secs(10);

/// All clients are in a process that is killed.
pub(crate) async fn client(setup: &Setup, load: &Load) -> anyhow::Result<Score> {
    let board = Arc::new(Board::default());
    let endpoint = setup.endpoint(&board).await?;
    let mut victim = Victim::start(setup, "client", load)?;
    let stands = victim.stands(setup.patience, load.connections).await?;
    victim.kill().await?;
    let mut score = Score { connections: load.connections, ..Score::default() };
    for stand in stands {
        match endpoint.record_if_heard(stand.connection, AFTERMATH).await {
            Some(record) => score.add(&record, &judge(Some(sent(stand)), &record)),
            None => score.missing += 1,
        }
    }
    setup.finish(endpoint, score).await
}

/// The endpoint is in a process that is killed.
pub(crate) async fn endpoint(setup: &Setup, load: &Load) -> anyhow::Result<Score> {
    let board = Arc::new(Board::default());
    let mut victim = Victim::start(setup, "endpoint", load)?;
    let line = timeout(setup.patience, victim.lines.next_line()).await.context("no endpoint in time")??;
    ensure!(line.as_deref() == Some("listening"), "the endpoint does not listen: it said {line:?}");
    let mut calls = calls(setup, load, &board);
    let stands = victim.stands(setup.patience, load.connections).await?;
    victim.kill().await?;
    let mut score = Score { connections: load.connections, ..Score::default() };
    while let Some(record) = called(&mut calls, &mut score).await {
        let stand = stands.iter().find(|stand| stand.connection == record.label.connection);
        score.add(&record, &judge(stand.copied().map(sent), &record));
    }
    Ok(score)
}

/// The gateway is killed while all connections stand.
pub(crate) async fn gateway(setup: &Setup, load: &Load, pid: Pid) -> anyhow::Result<Score> {
    let board = Arc::new(Board::default());
    let endpoint = setup.endpoint(&board).await?;
    let mut calls = calls(setup, load, &board);
    let both = usize::try_from(2 * load.connections)?;
    timeout(setup.patience, board.standing(both)).await.context("the connections do not stand in time")?;
    kill_process(pid, Signal::KILL).context("the gateway cannot be killed")?;
    let mut score = Score { connections: load.connections, ..Score::default() };
    while let Some(record) = called(&mut calls, &mut score).await {
        score.add(&record, &judge(None, &record));
        match endpoint.record_if_heard(record.label.connection, AFTERMATH).await {
            Some(record) => score.add(&record, &judge(None, &record)),
            None => score.missing += 1,
        }
    }
    setup.finish(endpoint, score).await
}

/// All connections of a load at once, from this process.
fn calls(setup: &Setup, load: &Load, board: &Arc<Board>) -> JoinSet<std::io::Result<Record>> {
    let caller = setup.caller(board);
    let mut calls = JoinSet::new();
    for connection in load.first..load.first + load.connections {
        let (caller, mean) = (caller.clone(), load.mean);
        let scenario = load.scenario(setup.run, connection).unwrap_or(Scenario::Clean);
        let plans = scenario.plans(setup.mode, setup.run, connection, mean);
        calls.spawn(async move { caller.call(connection, plans).await });
    }
    calls
}

/// The next call that is over, if it came to anything.
async fn called(calls: &mut JoinSet<std::io::Result<Record>>, score: &mut Score) -> Option<Record> {
    loop {
        match calls.join_next().await? {
            Ok(Ok(record)) => return Some(record),
            Ok(Err(error)) => score.fail(&error.to_string()),
            Err(error) => score.fail(&error.to_string()),
        }
    }
}

fn sent(stand: Stand) -> Sent {
    Sent { acknowledged: stand.acknowledged, ended: true }
}

/// A process of ours that is to be killed.
struct Victim {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Victim {
    fn start(setup: &Setup, role: &str, load: &Load) -> anyhow::Result<Self> {
        let mut command = setup.again(role, load)?;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("no output of the process that is to be killed")?;
        Ok(Self { child, lines: BufReader::new(output).lines() })
    }

    /// Waits until all its connections stand, and says how far each is.
    async fn stands(&mut self, patience: Duration, count: u64) -> anyhow::Result<Vec<Stand>> {
        let mut stands = Vec::new();
        while (stands.len() as u64) < count {
            let line = timeout(patience, self.lines.next_line()).await.with_context(|| {
                format!("{} of {count} connections wait to be killed; the rest does not come", stands.len())
            })??;
            let line = line.context("the process that was to be killed ended by itself")?;
            let (connection, acknowledged) =
                line.split_once(' ').with_context(|| format!("expected two numbers, not {line}"))?;
            stands.push(Stand { connection: connection.parse()?, acknowledged: acknowledged.parse()? });
        }
        Ok(stands)
    }

    /// SIGKILL, and nothing of it is left afterwards.
    async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}
