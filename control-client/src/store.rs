//! The last good configuration on disk, so that a restart needs no server.
//!
//! Two generations lie side by side: `PATH` and, before it, `PATH.previous`. Each is a text of lines: a header, the
//! resources as they stand on the stream, and a last line with the SHA-256 of all before it. A generation is written
//! beside them, forced to the disk and renamed, so a crash at any moment leaves whole generations only. Whatever is
//! torn, flipped, foreign or newer than this program is refused as a whole, and the one before it is used.
//!
//! **What was taken away never comes back.** Before a change that takes trust or grants away is put in force,
//! [`Store::forget`] removes both generations: what is on the disk later has been written after the change. So the
//! previous generation has no grant either that the present one lacks.

mod format;
mod starts;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

pub use format::{Header, LoadError};
pub use starts::Starts;

use crate::wire::{Kind, Name, Version};

/// Where generations are kept.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

/// A resource as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its type.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// The version of `spec`, checked.
    pub version: Version,
    /// What it is.
    pub spec: Box<RawValue>,
}

/// A generation that was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Which state of the stream it is, and when it was saved.
    pub header: Header,
    /// All resources of it.
    pub resources: Vec<Kept>,
    /// Which of the two it was.
    pub generation: Generation,
}

/// One of the two generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// The one saved last.
    Present,
    /// The one before it.
    Previous,
}

impl Generation {
    /// The word for it in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Previous => "previous",
        }
    }
}

/// A generation that could not be used.
#[derive(Debug)]
pub struct Passed {
    /// Its file.
    pub path: PathBuf,
    /// Why.
    pub error: LoadError,
}

impl Store {
    /// The store whose present generation is the file at `path`. Nothing is read or written yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file of a generation.
    pub fn file(&self, generation: Generation) -> PathBuf {
        match generation {
            Generation::Present => self.path.clone(),
            Generation::Previous => beside(&self.path, ".previous"),
        }
    }

    /// Saves a generation; the present one becomes the previous.
    ///
    /// # Errors
    /// What the file system says. Both generations are as they were, or the new one is there whole; one that was the
    /// present may be the previous already.
    pub fn save<'a>(
        &self,
        header: &Header,
        resources: impl IntoIterator<Item = (Kind, &'a str, Version, &'a str)>,
    ) -> io::Result<()> {
        let unfinished = beside(&self.path, ".unfinished");
        let written = write(&unfinished, header, resources);
        if let Err(error) = written {
            // A full disk gets its room back.
            let _gone = fs::remove_file(&unfinished);
            return Err(error);
        }
        match fs::rename(&self.path, self.file(Generation::Previous)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(&unfinished, &self.path)?;
        self.sync_folder()
    }

    /// Removes both generations, for good before it returns.
    ///
    /// # Errors
    /// What the file system says; one of them may still be there then.
    pub fn forget(&self) -> io::Result<()> {
        let files = [self.file(Generation::Previous), self.path.clone(), beside(&self.path, ".unfinished")];
        let mut first_error = None;
        for file in files {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    first_error = first_error.or(Some(error));
                }
                _ => {}
            }
        }
        first_error.map_or_else(|| self.sync_folder(), Err)
    }

    /// Reads the first generation of `order` that is whole, and tells which were passed over and why.
    ///
    /// A file that isn't there is passed over too, with [`LoadError::Absent`].
    pub fn load(&self, order: &[Generation]) -> (Option<Loaded>, Vec<Passed>) {
        let mut passed = Vec::new();
        for &generation in order {
            let path = self.file(generation);
            match format::read(&path) {
                Ok((header, resources)) => return (Some(Loaded { header, resources, generation }), passed),
                Err(error) => passed.push(Passed { path, error }),
            }
        }
        (None, passed)
    }

    fn sync_folder(&self) -> io::Result<()> {
        let folder =
            self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

fn write<'a>(
    path: &Path,
    header: &Header,
    resources: impl IntoIterator<Item = (Kind, &'a str, Version, &'a str)>,
) -> io::Result<()> {
    // Whoever left it behind has crashed; its mode may be anything.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = BufWriter::with_capacity(256 * 1024, options.open(path)?);
    format::write(&mut file, header, resources)?;
    file.flush()?;
    file.get_ref().sync_all()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;
