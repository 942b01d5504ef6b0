//! The last good state on disk, and what the log says of it.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

use landbridge_control_client::Held;
use landbridge_control_client::store::{Generation, Header, LoadError, Starts, Store};
use serde_json::{Value, json};

/// The store, and how it went with it.
pub(crate) struct Disk {
    store: Store,
    starts: Option<Starts>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the gateway began with.
    loaded: Option<(Generation, u64)>,
    saved_at: Option<u64>,
    write_error: Option<String>,
}

impl Disk {
    /// Notes a start beside the snapshot at `path`.
    pub(super) fn open(path: &Path) -> Self {
        let store = Store::at(path);
        let starts = match Starts::note(&store, now()) {
            Ok(starts) => Some(starts),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "cannot note this start beside the snapshot; a crash loop would not be noticed");
                None
            }
        };
        Self { store, starts, state: Mutex::default() }
    }

    /// What was kept; nothing where it can't be used.
    pub(super) fn load(&self) -> Held {
        let safe = self.starts.as_ref().is_some_and(Starts::is_safe_mode);
        if safe {
            tracing::error!(
                "the third start within minutes: beginning with the generation before, in which services and endpoints may be old"
            );
        }
        let order = self.starts.as_ref().map_or([Generation::Present, Generation::Previous], Starts::order);
        let (loaded, passed) = self.store.load(&order);
        for passed in passed.iter().filter(|passed| !matches!(passed.error, LoadError::Absent)) {
            tracing::error!(path = %passed.path.display(), error = %passed.error, "a kept configuration is passed over");
        }
        let mut held = Held::default();
        let Some(loaded) = loaded else {
            tracing::info!(
                "no configuration is kept on disk; nothing is served before a control server has sent one"
            );
            return held;
        };
        let age_s = now().saturating_sub(loaded.header.saved_at);
        tracing::info!(
            generation = loaded.generation.as_str(),
            resources = loaded.resources.len(),
            age_s,
            "begins with the configuration kept on disk, which is stale until a control server says otherwise"
        );
        for kept in loaded.resources {
            held.insert(kept.kind, kept.name, String::from(Box::<str>::from(kept.spec)).into());
        }
        self.state().loaded = Some((loaded.generation, loaded.header.saved_at));
        held.resume(loaded.header.position, loaded.header.left);
        held
    }

    /// Keeps what is held; true if it is on disk now.
    pub(super) fn save(&self, held: &Held) -> bool {
        let Some(position) = held.position() else { return true };
        let now = now();
        let header = Header::new(position.clone(), held.left().map(str::to_owned), now);
        let resources = held.resources();
        let resources = resources
            .map(|resource| (resource.kind, resource.name.as_str(), resource.version, &**resource.spec));
        let saved = self.store.save(&header, resources);
        let mut state = self.state();
        match saved {
            Ok(()) => {
                state.saved_at = Some(now);
                if state.write_error.take().is_some() {
                    tracing::info!("the configuration is kept on disk again");
                }
                true
            }
            Err(error) => {
                let text = error.to_string();
                if state.write_error.as_ref() != Some(&text) {
                    tracing::error!(
                        error = text,
                        "the configuration cannot be kept on disk; it is in force, and tried again"
                    );
                }
                state.write_error = Some(text);
                false
            }
        }
    }

    /// Removes what is kept, ahead of a change that takes trust or grants away.
    pub(super) fn forget(&self) {
        if let Err(error) = self.store.forget() {
            tracing::error!(%error, "what is kept on disk cannot be removed, and has grants that are taken away now; remove it by hand");
            self.state().write_error = Some(error.to_string());
        }
    }

    /// Notes that the gateway has held for a minute, or ends because it was asked to.
    pub(super) fn healthy(&self) {
        if let Some(Err(error)) = self.starts.as_ref().map(Starts::healthy) {
            tracing::warn!(%error, "cannot note beside the snapshot that this start was a good one");
        }
    }

    /// How it is, for whoever asks.
    pub(super) fn told(&self) -> Value {
        let state = self.state();
        json!({
            "path": self.store.file(Generation::Present).display().to_string(),
            "began_with": state.loaded.map(|(generation, _)| generation.as_str()),
            "began_with_saved_at": state.loaded.map(|(_, at)| at),
            "saved_at": state.saved_at,
            "write_error": state.write_error,
        })
    }

    /// Whether the last write failed.
    pub(super) fn fails(&self) -> bool {
        self.state().write_error.is_some()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
