//! Where in the file system a change of a file shows.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use notify::Event;
use notify::event::{AccessKind, AccessMode, EventKind};

/// As many links as Linux follows in one path.
const LINKS: usize = 40;

/// Folders, and the names in them that matter.
///
/// A file is replaced where its name is, and where the links are that lead to it: the kubelet updates a
/// volume by replacing `..data`, a link that every file of the volume goes through.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) folders: BTreeSet<PathBuf>,
    names: HashSet<OsString>,
}

impl Places {
    /// The places of these files, as the links are now.
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let mut places = Self::default();
        for file in files {
            places.trace(file);
        }
        places
    }

    fn trace(&mut self, file: &Path) {
        let mut pending = vec![file.to_owned()];
        for _ in 0..LINKS {
            let Some(path) = pending.pop() else { return };
            self.note(&path);
            for ancestor in path.ancestors() {
                let Ok(target) = fs::read_link(ancestor) else { continue };
                self.note(ancestor);
                let Ok(rest) = path.strip_prefix(ancestor) else { continue };
                let folder = ancestor.parent().unwrap_or(Path::new(""));
                pending.push(folder.join(target).components().chain(rest.components()).collect());
            }
        }
    }

    fn note(&mut self, path: &Path) {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        // One spelling per folder: events come under the last one that was listened on.
        self.folders.insert(fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()));
        self.names.insert(name.to_owned());
    }

    /// Whether an event may mean that a file is another now. To read a file is an event too.
    pub(super) fn concern(&self, event: &Event) -> bool {
        let read =
            matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
        let about = |path: &PathBuf| {
            path.file_name().is_some_and(|name| self.names.contains(name)) || self.folders.contains(path)
        };
        event.need_rescan() || (!read && event.paths.iter().any(about))
    }
}
