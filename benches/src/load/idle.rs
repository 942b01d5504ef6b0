//! What connections cost that do nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::job::Job;
use super::meter::{Done, Meter};
use super::target::{Sessions, Stream, Target, end};
use super::upstream::BLOCK;
use crate::process;

/// What each connection has echoed, once.
const BURST: usize = 64 * 1024;
/// How many begin at once, and how many bursts there are at once.
const AT_ONCE: usize = 16;
/// Calls before the first look, so that what is made once is not counted.
const WARM: u64 = 64;

/// Looks at the gateway's memory without connections, with all of them, and after a burst on each.
pub(super) async fn footprint(job: &Job, target: &Arc<Target>, pid: u32) -> anyhow::Result<Done> {
    let mut done = Done::new()?;
    let caller = target.caller(Sessions::New);
    for nth in 0..WARM {
        end(caller.begin(nth).await?.0).await?;
    }
    done.memory.push(("before", settled(pid, job.settle).await?));
    let meter = Meter::begin(Some(pid))?;
    let begin = |nth: usize| {
        let caller = caller.clone();
        async move { caller.begin(nth as u64).await }
    };
    let mut numbers = 0..job.connections;
    let mut beginning: JoinSet<_> = numbers.by_ref().take(AT_ONCE).map(begin).collect();
    let mut streams = Vec::with_capacity(job.connections);
    while let Some(begun) = beginning.join_next().await {
        let (stream, kind) = begun??;
        done.handshakes.count(kind);
        streams.push(stream);
        numbers.next().into_iter().for_each(|nth| {
            beginning.spawn(begin(nth));
        });
    }
    done.operations = job.connections as u64;
    meter.end(&mut done)?;
    done.memory.push(("idle", settled(pid, job.settle).await?));
    let mut waiting = streams.into_iter();
    let mut bursts: JoinSet<anyhow::Result<Stream>> = waiting.by_ref().take(AT_ONCE).map(burst).collect();
    let mut streams = Vec::with_capacity(job.connections);
    while let Some(over) = bursts.join_next().await {
        streams.push(over??);
        waiting.next().into_iter().for_each(|stream| {
            bursts.spawn(burst(stream));
        });
    }
    done.memory.push(("after bursts", settled(pid, job.settle).await?));
    let bytes = (BURST as u64 + 1) * job.connections as u64 + WARM;
    (done.sent, done.received) = (bytes, bytes);
    for stream in streams {
        end(stream).await?;
    }
    Ok(done)
}

async fn settled(pid: u32, settle: Duration) -> anyhow::Result<u64> {
    tokio::time::sleep(settle).await;
    process::resident_of_all(pid)
}

async fn burst(mut stream: Stream) -> anyhow::Result<Stream> {
    let (mut from, mut to) = tokio::io::split(&mut stream);
    let mut back = vec![0; BURST];
    let (went, came) = tokio::join!(
        async {
            to.write_all(BLOCK.get(..BURST).unwrap_or_default()).await?;
            to.flush().await
        },
        from.read_exact(&mut back)
    );
    went?;
    came?;
    Ok(stream)
}
