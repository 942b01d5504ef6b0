//! Small messages there and back: as soon as the last is back, or at a fixed rate whatever became of the last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::job::Job;
use super::meter::{Done, Meter};
use super::target::{Sessions, Stream, Target, end};

/// The timer's grain: nearer than this the pacer goes round instead of sleeping.
const NEAR: Duration = Duration::from_millis(2);

/// Each connection sends its next message when the last is back.
pub(super) async fn closed_loop(job: &Job, target: &Arc<Target>, pid: Option<u32>) -> anyhow::Result<Done> {
    let mut done = Done::new()?;
    let streams = connected(job, target, &mut done).await?;
    let (each, size) = (job.operations.div_ceil(job.connections as u64), job.size);
    let meter = Meter::begin(pid)?;
    let mut loops = JoinSet::new();
    for mut stream in streams {
        loops.spawn(async move {
            let mut done = Done::new()?;
            let mut message = vec![7; size];
            for _ in 0..each {
                let begun = Instant::now();
                there_and_back(&mut stream, &mut message).await?;
                done.took(begun.elapsed());
            }
            anyhow::Ok((done, stream))
        });
    }
    gather(loops, meter, (done, size)).await
}

/// Messages begin at even times, in turn over the connections. One that has to wait for the last of its connection has
/// waited since it should have begun: what the gateway is too slow for is not left out (coordinated omission).
pub(super) async fn open_loop(job: &Job, target: &Arc<Target>, pid: Option<u32>) -> anyhow::Result<Done> {
    ensure!(job.rate > 0, "expected a rate of at least one message a second");
    let mut done = Done::new()?;
    let streams = connected(job, target, &mut done).await?;
    let size = job.size;
    let meter = Meter::begin(pid)?;
    let mut loops = JoinSet::new();
    let mut queues = Vec::new();
    for mut stream in streams {
        let (queue, mut due) = mpsc::unbounded_channel::<Instant>();
        queues.push(queue);
        loops.spawn(async move {
            let mut done = Done::new()?;
            let mut message = vec![7; size];
            while let Some(intended) = due.recv().await {
                there_and_back(&mut stream, &mut message).await?;
                done.took(intended.elapsed());
            }
            anyhow::Ok((done, stream))
        });
    }
    let begun = Instant::now();
    for (nth, queue) in (0..job.operations).zip(queues.iter().cycle()) {
        let intended = begun + Duration::from_secs_f64(super::to_float(nth) / f64::from(job.rate));
        until(intended).await;
        // A connection that has failed says why when it is gathered.
        let _ = queue.send(intended);
    }
    drop(queues);
    gather(loops, meter, (done, size)).await
}

async fn until(intended: Instant) {
    loop {
        let left = intended.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if left > NEAR {
            tokio::time::sleep(left.saturating_sub(NEAR)).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

async fn connected(job: &Job, target: &Arc<Target>, done: &mut Done) -> anyhow::Result<Vec<Stream>> {
    ensure!(job.size > 0, "expected messages of at least one byte");
    let caller = target.caller(Sessions::New);
    let mut streams = Vec::new();
    for nth in 0..job.connections {
        let (stream, kind) = caller.begin(nth as u64).await?;
        done.handshakes.count(kind);
        (done.sent, done.received) = (done.sent + 1, done.received + 1);
        streams.push(stream);
    }
    Ok(streams)
}

async fn there_and_back(stream: &mut Stream, message: &mut [u8]) -> anyhow::Result<()> {
    stream.write_all(message).await?;
    stream.flush().await?;
    stream.read_exact(message).await?;
    Ok(())
}

async fn gather(
    mut loops: JoinSet<anyhow::Result<(Done, Stream)>>,
    meter: Meter,
    (mut done, size): (Done, usize),
) -> anyhow::Result<Done> {
    let mut streams = Vec::new();
    while let Some(of) = loops.join_next().await {
        let (of, stream) = of??;
        done.add(&of)?;
        streams.push(stream);
    }
    meter.end(&mut done)?;
    let bytes = done.operations * size as u64;
    (done.sent, done.received) = (done.sent + bytes, done.received + bytes);
    for stream in streams {
        end(stream).await?;
    }
    Ok(done)
}
