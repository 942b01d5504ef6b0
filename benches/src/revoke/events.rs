//! What happens to connections, as one end of them sees it.

use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout_at};

/// How long is waited for what should have come long ago.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long opening all of them may take.
const OPENING: Duration = Duration::from_secs(300);

/// Which half a connection belongs to: the first byte that it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Doomed,
    Bystander,
}

pub(super) enum Event {
    Opened,
    Failed(String),
    /// It carried a byte there and back after a change.
    Proven,
    Ended(Half, u64, How),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Reset,
    Otherwise,
}

/// What was seen since the last report.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Report {
    opened: usize,
    failed: Vec<String>,
    pub(super) proven: usize,
    /// When the doomed were seen to be reset, in nanoseconds since 1970.
    pub(super) cut_at: Vec<u64>,
    /// Doomed that ended by anything but a reset.
    pub(super) not_reset: usize,
    /// Bystanders that ended.
    pub(super) lost: usize,
}

pub(super) struct Events {
    coming: UnboundedReceiver<Event>,
    seen: Report,
}

impl Half {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Doomed => b'd',
            Self::Bystander => b'b',
        }
    }

    pub(super) fn of(byte: u8) -> Self {
        if byte == b'd' { Self::Doomed } else { Self::Bystander }
    }
}

impl How {
    pub(super) fn of(read: &std::io::Result<usize>) -> Self {
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Self::Reset,
            _ => Self::Otherwise,
        }
    }
}

impl Events {
    pub(super) fn new(coming: UnboundedReceiver<Event>) -> Self {
        Self { coming, seen: Report::default() }
    }

    pub(super) async fn opened(&mut self, count: usize) -> Report {
        self.until(OPENING, |seen| seen.opened + seen.failed.len() >= count).await
    }

    pub(super) async fn cut(&mut self, count: usize) -> Report {
        self.until(PATIENCE, |seen| seen.cut_at.len() + seen.not_reset >= count).await
    }

    pub(super) async fn proven(&mut self, count: usize) -> Report {
        self.until(PATIENCE, |seen| seen.proven >= count).await
    }

    /// Waits until `done`, or as long as it takes to give up.
    async fn until(&mut self, patience: Duration, done: impl Fn(&Report) -> bool) -> Report {
        let deadline = Instant::now() + patience;
        while !done(&self.seen) {
            match timeout_at(deadline, self.coming.recv()).await {
                Ok(Some(event)) => self.seen.note(event),
                Ok(None) | Err(_) => break,
            }
        }
        while let Ok(event) = self.coming.try_recv() {
            self.seen.note(event);
        }
        std::mem::take(&mut self.seen)
    }
}

impl Report {
    fn note(&mut self, event: Event) {
        match event {
            Event::Opened => self.opened += 1,
            Event::Failed(error) => self.failed.push(error),
            Event::Proven => self.proven += 1,
            Event::Ended(Half::Bystander, ..) => self.lost += 1,
            Event::Ended(Half::Doomed, at, How::Reset) => self.cut_at.push(at),
            Event::Ended(Half::Doomed, _, How::Otherwise) => self.not_reset += 1,
        }
    }

    pub(super) fn all_opened(&self, count: usize) -> anyhow::Result<()> {
        let first = self.failed.first().map_or("they took too long", String::as_str);
        ensure!(self.opened == count, "only {} of {count} connections opened: {first}", self.opened);
        Ok(())
    }
}

/// Now, in nanoseconds since 1970: the one clock that all processes of a machine share with its logs.
pub(super) fn now() -> u64 {
    unix(SystemTime::now())
}

pub(super) fn unix(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The numbers of a command such as `open 5 5`.
pub(super) fn numbers<const N: usize>(command: &str) -> anyhow::Result<[usize; N]> {
    let parsed: Result<Vec<usize>, _> = command.split(' ').skip(1).map(str::parse).collect();
    let numbers = parsed.with_context(|| format!("no numbers: {command}"))?;
    numbers.try_into().map_err(|_| anyhow::anyhow!("expected {N} numbers: {command}"))
}
