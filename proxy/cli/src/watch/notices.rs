//! Events of the file system, where it tells of any.

use std::sync::{Arc, Mutex, PoisonError};

use notify::{Config, Error, ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::places::Places;

/// Wakes whoever reads the files when something happens to them.
pub(super) struct Notices {
    watcher: Option<RecommendedWatcher>,
    places: Arc<Mutex<Places>>,
    /// Said once: a limit that is reached is reached for every folder, every time.
    warned: bool,
}

impl Notices {
    /// Calls `wake` at every event that may mean a change.
    pub(super) fn new(wake: impl Fn() + Send + 'static) -> Self {
        let places = Arc::new(Mutex::new(Places::default()));
        let listened = places.clone();
        let hear = move |event: Result<Event, Error>| {
            let concerns =
                |event: &Event| listened.lock().unwrap_or_else(PoisonError::into_inner).concern(event);
            // An error of the watcher: what it has missed, the files tell.
            if event.as_ref().map_or(true, concerns) {
                wake();
            }
        };
        let mut notices = Self { watcher: None, places, warned: false };
        match RecommendedWatcher::new(hear, Config::default()).and_then(alive) {
            Ok(watcher) => notices.watcher = Some(watcher),
            Err(error) => notices.warn(&error),
        }
        notices
    }

    /// Listens in these folders and in no others.
    ///
    /// A folder that is listened on already is listened on anew: another one may have its name now.
    pub(super) fn follow(&mut self, places: Places) {
        let Some(watcher) = &mut self.watcher else { return };
        let mut failed = None;
        for folder in &places.folders {
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                // That it is missing, whoever reads the file in it reports.
                Err(error) if !matches!(error.kind, ErrorKind::PathNotFound) => failed = Some(error),
                _ => {}
            }
        }
        let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for left in known.folders.difference(&places.folders) {
            // It fails where the folder is gone, and the listening with it.
            let _ = watcher.unwatch(left);
        }
        *known = places;
        drop(known);
        if let Some(error) = failed {
            self.warn(&error);
        }
    }

    fn warn(&mut self, error: &Error) {
        if !self.warned {
            self.warned = true;
            tracing::warn!(%error, "the file system tells of no changes here; certificates are polled instead");
        }
    }
}

/// A watcher whose thread could be started; one without it panics at all else that is asked of it, at its drop too.
fn alive(mut watcher: RecommendedWatcher) -> Result<RecommendedWatcher, Error> {
    match watcher.configure(Config::default()) {
        Ok(_) => Ok(watcher),
        Err(error) => {
            std::mem::forget(watcher);
            Err(error)
        }
    }
}
