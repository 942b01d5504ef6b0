//! Resources out of the files of a folder.
//!
//! `services/*.toml`, `policies/*.toml`, `trust/*.toml`, `peers/*.toml` and `endpoints/*.json`. A file in which
//! something is wrong takes nothing away: what is in order in it is served, and whatever else it said before stays.

mod compose;
mod json;
mod read;
mod watch;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use landbridge_certs::source::digest;
use landbridge_core::config::{Problem, Severity};

use self::compose::Accepted;
use self::read::{Found, Read, read};
pub use self::watch::FolderWatch;
use crate::resource::Entry;

/// The folders inside, and how names of files in them end.
const PARTS: [(Part, &str, &str); 5] = [
    (Part::Services, "services", "toml"),
    (Part::Endpoints, "endpoints", "json"),
    (Part::Policies, "policies", "toml"),
    (Part::Trust, "trust", "toml"),
    (Part::Peers, "peers", "toml"),
];

/// What a folder inside is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Services,
    Endpoints,
    Policies,
    Trust,
    Peers,
}

/// A folder, and what its files said when they were last in order.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    files: BTreeMap<(Part, PathBuf), File>,
    accepted: Accepted,
    /// Whether something was new at the last look that did not come to its end.
    news: bool,
}

/// Everything that a folder says.
#[derive(Debug)]
pub struct Loaded {
    /// What is to be served.
    pub entries: Vec<Entry>,
    /// What is wrong, and what is worth a warning.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// How many problems keep something from being served as it is written.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }
}

/// One file, as it was last looked at.
#[derive(Debug, Default)]
struct File {
    /// The digests of the file and of those that it names.
    seen: Vec<Option<[u8; 32]>>,
    /// The files that it names.
    names: Vec<PathBuf>,
    /// What it says, or said when that was last in order.
    found: Vec<Arc<Found>>,
    problems: Vec<Problem>,
}

impl Folder {
    /// The folder at `dir`, of which nothing is known yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), files: BTreeMap::new(), accepted: Accepted::default(), news: true }
    }

    /// Reads what has changed since the last time, and says what all of it says now.
    ///
    /// # Errors
    /// The folder, or one inside, can't be listed. Nothing is known of what became of its files then, so that whatever
    /// is served had better stay.
    pub fn load(&mut self) -> io::Result<Loaded> {
        self.look()?;
        Ok(self.compose())
    }

    /// The same; `None` where all of it is what it was.
    ///
    /// # Errors
    /// As [`Folder::load`].
    pub(crate) fn load_news(&mut self) -> io::Result<Option<Loaded>> {
        self.look()?;
        Ok(self.news.then(|| self.compose()))
    }

    fn look(&mut self) -> io::Result<()> {
        let listed = self.list();
        let listed = listed.inspect_err(|_| self.news = true)?;
        let mut files = BTreeMap::new();
        for key in listed {
            let mut file = self.files.remove(&key).unwrap_or_default();
            self.news |= file.look(key.0, &key.1);
            files.insert(key, file);
        }
        // What is left is gone.
        self.news |= !self.files.is_empty();
        self.files = files;
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<(Part, PathBuf)>> {
        // That the folder itself is gone is no reason to think that it is empty.
        fs::read_dir(&self.dir)?;
        let mut listed = Vec::new();
        for (part, name, extension) in PARTS {
            listed.extend(files(&self.dir.join(name), extension)?.into_iter().map(|path| (part, path)));
        }
        Ok(listed)
    }

    fn compose(&mut self) -> Loaded {
        self.news = false;
        let mut problems: Vec<Problem> =
            self.files.values().flat_map(|file| &file.problems).cloned().collect();
        let found =
            self.files.iter().flat_map(|((_, path), file)| file.found.iter().map(move |found| (path, found)));
        let entries = self.accepted.compose(found, &mut problems);
        Loaded { entries, problems }
    }

    /// The folders in which a change may show.
    fn places(&self) -> Vec<PathBuf> {
        let inside = PARTS.iter().map(|(_, name, _)| self.dir.join(name));
        let named = self.files.values().flat_map(|file| &file.names).filter_map(|path| path.parent());
        let mut places: Vec<PathBuf> = [self.dir.clone()].into_iter().chain(inside).collect();
        places.extend(named.map(Path::to_owned));
        places.sort();
        places.dedup();
        places
    }
}

impl File {
    /// Reads it, if it or a file that it names holds something new; says whether that was so.
    fn look(&mut self, part: Part, path: &Path) -> bool {
        // Before it is read: what happens in between, the next look sees.
        let seen: Vec<_> =
            [path].into_iter().chain(self.names.iter().map(PathBuf::as_path)).map(digest).collect();
        if seen == self.seen {
            return false;
        }
        let Read { mut found, names, problems } = read(part, path);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            let kept = self.found.iter().filter(|old| found.iter().all(|new| new.id() != old.id()));
            let kept: Vec<_> = kept.cloned().collect();
            found.extend(kept);
        }
        // One that says the same stays the same.
        for new in &mut found {
            if let Some(old) = self.found.iter().find(|old| **old == *new) {
                *new = old.clone();
            }
        }
        // Files that it names for the first time are not among these: the next look reads all of it once more.
        self.seen = seen;
        (self.found, self.names, self.problems) = (found, names, problems);
        true
    }
}

/// The files of a folder, in the order of their names; none if there is no such folder.
fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().and_then(OsStr::to_str).is_none_or(|name| name.starts_with('.'));
        if !hidden && path.extension() == Some(OsStr::new(extension)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
