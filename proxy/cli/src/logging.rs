//! The event log: to standard error, as text for people or as JSON lines.
//!
//! It is written by a thread of its own, as the access log is: a pipe that nobody reads, or that is closed,
//! costs events, which are counted, and never holds up a worker.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use landbridge::config::EventFormat;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::MakeWriter;

use crate::lines::{LAST_LINES, Lost, PAUSE, Queue, Target, Work};

/// Bytes that may wait: some thousands of events.
const CAPACITY: usize = 1024 * 1024;

/// The event log of this process. Dropping it waits for the last events to be written, two seconds at most.
pub(crate) struct Events(Arc<Shared>);

/// What whoever tells something shares with the writer.
struct Shared {
    queue: Queue,
    dropped: Arc<AtomicU64>,
}

/// Installs the subscriber of this process, and lets it tell of panics.
pub(crate) fn install(level: &str, format: EventFormat) -> anyhow::Result<Events> {
    let filter = EnvFilter::try_new(level).with_context(|| format!("log.level {level:?} is not a filter"))?;
    let events = Events::start(Target::stderr()?).context("cannot start the event log's thread")?;
    let base = fmt().with_env_filter(filter).with_writer(Told(events.0.clone()));
    let installed = match format {
        EventFormat::Text => base.with_ansi(colours()).with_target(false).try_init(),
        EventFormat::Json => base.json().flatten_event(true).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("cannot set up the event log: {error}"))?;
    tell_panics();
    Ok(events)
}

/// A panic is an event too: the usual hook would write to a pipe that may be full.
#[expect(clippy::disallowed_methods, reason = "the panic hook belongs to the command, which this is")]
fn tell_panics() {
    panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let payload = panic.payload();
        let said = payload.downcast_ref::<&str>().copied();
        let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
        tracing::error!(
            thread = thread::current().name(),
            place = panic.location().map(tracing::field::display),
            backtrace = backtrace.as_ref().map(tracing::field::display),
            "panicked: {said}"
        );
    }));
}

/// Colours on a terminal, unless NO_COLOR is set (no-color.org).
fn colours() -> bool {
    #[expect(clippy::disallowed_methods, reason = "the binary may read its environment")]
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !no_colour
}

impl Events {
    fn start(target: Target) -> io::Result<Self> {
        let queue = Queue::new(CAPACITY, Duration::ZERO);
        let shared = Arc::new(Shared { queue, dropped: Arc::default() });
        let writing = shared.clone();
        thread::Builder::new().name("event-log".to_owned()).spawn(move || write(&writing, target))?;
        Ok(Self(shared))
    }

    /// How many events were lost, from now on.
    pub(crate) fn dropped(&self) -> Arc<AtomicU64> {
        self.0.dropped.clone()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // If that was too short, nobody is left to be told.
        self.0.queue.close(LAST_LINES);
    }
}

impl Shared {
    fn push(&self, event: &[u8]) {
        if !self.queue.push(event) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes until the queue is closed. What was lost is told once something is taken again.
fn write(shared: &Shared, mut target: Target) {
    let (mut work, mut told) = (Work::default(), 0);
    while !work.last {
        work = shared.queue.next(work, None);
        match target.write(&work.lines, || shared.queue.pause(PAUSE)) {
            Ok(()) => {
                let dropped = shared.dropped.load(Ordering::Relaxed);
                if dropped > told && !work.last {
                    tracing::warn!("dropped {} events that standard error did not take", dropped - told);
                    told = dropped;
                }
            }
            Err(Lost { lines, .. }) => {
                shared.dropped.fetch_add(lines, Ordering::Relaxed);
            }
        }
        shared.queue.settle(&work);
    }
    drop(target);
    shared.queue.finish();
}

/// Where the subscriber writes: each event is one write, and none fails.
struct Told(Arc<Shared>);

impl<'a> MakeWriter<'a> for Told {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Told {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.push(event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{BufRead, BufReader};
    use std::os::fd::OwnedFd;

    use tracing::subscriber::with_default;

    use super::*;

    fn to_pipe() -> (Events, io::PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        (Events::start(File::from(OwnedFd::from(writer)).into()).unwrap(), reader)
    }

    #[test]
    fn what_a_full_pipe_does_not_take_is_dropped_whole_and_counted() {
        let (events, reader) = to_pipe();
        let subscriber = fmt().with_ansi(false).with_writer(Told(events.0.clone())).finish();
        let told = with_default(subscriber, || {
            let mut told: u64 = 0;
            // More than pipe, writer and queue hold together.
            while events.0.dropped.load(Ordering::Relaxed) < 100 {
                tracing::info!("event {told} of many");
                told += 1;
            }
            told
        });
        let dropped = events.0.dropped.load(Ordering::Relaxed);
        let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
        let mut next = 0;
        for _ in 0..told - dropped {
            let line = lines.next().unwrap();
            let number = line.split_once(" event ").and_then(|(_, rest)| rest.strip_suffix(" of many"));
            let number: u64 = number.unwrap_or_else(|| panic!("torn: {line}")).parse().unwrap();
            assert!(number >= next, "{number} after {next}");
            next = number + 1;
        }
        drop(events);
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn events_for_a_pipe_that_is_closed_are_dropped_and_counted() {
        let (events, reader) = to_pipe();
        drop(reader);
        let shared = events.0.clone();
        (&Told(shared.clone())).write_all(b"one\ntwo\n").unwrap();
        drop(events);
        assert_eq!(shared.dropped.load(Ordering::Relaxed), 2);
    }
}
