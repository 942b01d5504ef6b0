//! Bulk: as much as goes through.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::job::Job;
use super::meter::{Done, Meter};
use super::target::{BULK_READ_AHEAD, Sessions, Stream, Target, end};
use super::upstream::{BLOCK, BOTH, SINK, SOURCE, send};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
    Both,
}

/// Carries the job's bytes over its connections, in equal parts; connecting is not measured.
pub(super) async fn carry(
    job: &Job,
    target: &Arc<Target>,
    way: Way,
    pid: Option<u32>,
) -> anyhow::Result<Done> {
    let mut done = Done::new()?;
    let caller = target.caller(Sessions::New).reading_ahead(BULK_READ_AHEAD);
    let share = job.bytes / job.connections as u64;
    let mut streams = Vec::new();
    for nth in 0..job.connections {
        let (stream, kind) = caller.connect(nth as u64).await?;
        done.handshakes.count(kind);
        streams.push(stream);
    }
    let meter = Meter::begin(pid)?;
    let mut carried = JoinSet::new();
    for stream in streams {
        carried.spawn(one(stream, way, share));
    }
    let mut finished = Vec::new();
    while let Some(of) = carried.join_next().await {
        let (of, stream) = of??;
        done.add(&of)?;
        finished.push(stream);
    }
    meter.end(&mut done)?;
    for stream in finished {
        end(stream).await?;
    }
    Ok(done)
}

async fn one(mut stream: Stream, way: Way, share: u64) -> anyhow::Result<(Done, Stream)> {
    let mut done = Done::new()?;
    let begun = Instant::now();
    let asked = match way {
        Way::Up => SINK,
        Way::Down => SOURCE,
        Way::Both => BOTH,
    };
    stream.write_u8(asked).await?;
    stream.write_u64(share).await?;
    stream.flush().await?;
    match way {
        Way::Up => {
            send(&mut stream, share).await?;
            all_arrived(&mut stream, share).await?;
            (done.sent, done.received, done.bytes) = (9 + share, 8, share);
        }
        Way::Down => {
            receive(&mut stream, share).await?;
            (done.sent, done.received, done.bytes) = (9, share, share);
        }
        Way::Both => {
            let (mut from, mut to) = tokio::io::split(&mut stream);
            let (came, went) = tokio::join!(receive(&mut from, share), send(&mut to, share));
            came?;
            went?;
            all_arrived(&mut stream, share).await?;
            (done.sent, done.received, done.bytes) = (9 + share, share + 8, 2 * share);
        }
    }
    done.took(begun.elapsed());
    Ok((done, stream))
}

/// What the endpoint says.
async fn all_arrived(stream: &mut Stream, share: u64) -> anyhow::Result<()> {
    let came = stream.read_u64().await?;
    ensure!(came == share, "of {share} bytes {came} arrived");
    Ok(())
}

async fn receive(from: &mut (impl AsyncRead + Unpin), count: u64) -> anyhow::Result<()> {
    let mut buffer = vec![0; BLOCK.len()];
    let mut came = 0;
    while came < count {
        // Not beyond: the endpoint's answer may be next.
        let most = usize::try_from(count - came).unwrap_or(usize::MAX).min(buffer.len());
        let part = from.read(buffer.get_mut(..most).unwrap_or_default()).await? as u64;
        ensure!(part > 0, "the stream ended after {came} of {count} bytes");
        came += part;
    }
    Ok(())
}
