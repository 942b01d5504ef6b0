//! A folder, noticed when it changes: the poll is the truth, and an event only makes it look at once.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Config, Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Folder, Loaded};

/// How often the files are read where nothing tells of changes.
const POLL: Duration = Duration::from_secs(8);
/// How long files must rest after an event before they are read: whoever writes two writes both.
const QUIET: Duration = Duration::from_millis(100);
/// How long files that never rest are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// The watch over a folder; it ends when this is dropped.
#[derive(Debug)]
pub struct FolderWatch {
    states: UnboundedReceiver<io::Result<Loaded>>,
    wake: Sender<Wake>,
}

#[derive(Debug, Clone, Copy)]
enum Wake {
    Touched,
    Stop,
}

impl FolderWatch {
    /// Begins to watch a folder.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(folder: Folder) -> io::Result<Self> {
        let (wake, wakes) = channel();
        let (told, states) = unbounded_channel();
        let touched = wake.clone();
        let thread = thread::Builder::new().name("folder".to_owned());
        thread.spawn(move || {
            Watching { folder, wakes, told, events: events(touched), listened: Vec::new() }.run();
        })?;
        Ok(Self { states, wake })
    }

    /// Reads everything anew, as an event would have it.
    pub fn touch(&self) {
        // The thread ends with this.
        let _ = self.wake.send(Wake::Touched);
    }

    /// Waits for what the folder says once it says something new, or can't be listed.
    ///
    /// # Errors
    /// As [`Folder::load`].
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn next(&mut self) -> io::Result<Loaded> {
        match self.states.recv().await {
            Some(state) => state,
            None => std::future::pending().await,
        }
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        let _ = self.wake.send(Wake::Stop);
    }
}

struct Watching {
    folder: Folder,
    wakes: Receiver<Wake>,
    told: UnboundedSender<io::Result<Loaded>>,
    events: Option<RecommendedWatcher>,
    listened: Vec<PathBuf>,
}

impl Watching {
    fn run(mut self) {
        loop {
            // Listened for before they are read: what happens in between is an event.
            self.listen();
            if let Some(state) = self.folder.load_news().transpose()
                && self.told.send(state).is_err()
            {
                return;
            }
            match self.wakes.recv_timeout(POLL) {
                Ok(Wake::Touched) => {
                    if self.settle() {
                        return;
                    }
                }
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Waits until the files are left alone; true if that is for good.
    fn settle(&mut self) -> bool {
        let latest = Instant::now() + PATIENCE;
        while Instant::now() < latest {
            match self.wakes.recv_timeout(QUIET) {
                Ok(Wake::Touched) => {}
                Ok(Wake::Stop) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    fn listen(&mut self) {
        let Some(events) = &mut self.events else { return };
        let places = self.folder.places();
        for left in self.listened.iter().filter(|place| !places.contains(place)) {
            // It fails where the folder is gone, and the listening with it.
            let _ = events.unwatch(left);
        }
        for place in &places {
            // Anew each time: another folder may have the name now. That one is missing, the next look tells.
            if let Err(error) = events.watch(place, RecursiveMode::NonRecursive) {
                tracing::debug!(%error, place = %place.display(), "not listened on; it is polled");
            }
        }
        self.listened = places;
    }
}

/// Wakes the thread at every event that may mean a change; to read a file is an event too.
fn events(wake: Sender<Wake>) -> Option<RecommendedWatcher> {
    let hear = move |event: notify::Result<Event>| {
        let read = |event: &Event| matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
        if !event.as_ref().is_ok_and(read) {
            // The thread has ended.
            let _ = wake.send(Wake::Touched);
        }
    };
    match RecommendedWatcher::new(hear, Config::default()) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "the file system tells of no changes here; the folder is polled instead");
            None
        }
    }
}
