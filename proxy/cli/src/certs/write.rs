//! Files as they are written: all or none, never over another by accident, keys for their owner alone.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::NamedTempFile;

/// Files that are about to be written.
pub(super) struct Outputs {
    paths: Vec<PathBuf>,
    replacing: Replacing,
}

/// What becomes of a file that is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replacing {
    /// It stays, and nothing is written.
    Nothing,
    /// It is replaced.
    Files,
}

/// Who may read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    Everybody,
    Owner,
}

impl Outputs {
    /// Checks that every file can be written before any is.
    ///
    /// # Errors
    /// All that is in the way, at once.
    pub(super) fn check(paths: Vec<PathBuf>, read: &[&Path], replacing: Replacing) -> anyhow::Result<Self> {
        let mut wrong: Vec<String> =
            paths.iter().filter_map(|path| in_the_way(path, read, replacing)).collect();
        if let [first, second] = paths.as_slice()
            && first == second
        {
            wrong.push(format!("{} is meant for both the certificate and the key", first.display()));
        }
        if !wrong.is_empty() {
            bail!("nothing was written: {}", wrong.join("; "));
        }
        Ok(Self { paths, replacing })
    }

    /// Waits until no other of these commands extends a file in the same folder; until it is dropped.
    pub(super) fn lock(&self) -> anyhow::Result<File> {
        let folder = self.paths.first().map_or(Path::new("."), |path| folder(path));
        let opened = File::open(folder).and_then(|file| file.lock().map(|()| file));
        opened.with_context(|| format!("cannot lock the folder {}", folder.display()))
    }

    /// Writes all of them: `contents` in the order of the paths, the last first.
    ///
    /// Each appears complete or not at all. A certificate comes before its key in the list, so that
    /// the key is there first.
    pub(super) fn write(self, contents: &[(&str, Readers)]) -> anyhow::Result<()> {
        let mut prepared = Vec::new();
        for (path, (content, readers)) in self.paths.iter().zip(contents) {
            let failed = || format!("cannot write {}", path.display());
            prepared.push((path, prepare(path, content, *readers).with_context(failed)?));
        }
        for (path, file) in prepared.into_iter().rev() {
            let persisted = match self.replacing {
                Replacing::Nothing => file.persist_noclobber(path),
                Replacing::Files => file.persist(path),
            };
            persisted
                .map_err(|error| error.error)
                .and_then(|_| File::open(folder(path))?.sync_all())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

fn prepare(path: &Path, content: &str, readers: Readers) -> std::io::Result<NamedTempFile> {
    // Made for its owner alone, whatever the umask.
    let mut file = tempfile::Builder::new().prefix(".landbridge-").tempfile_in(folder(path))?;
    if readers == Readers::Everybody {
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    }
    file.write_all(content.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn in_the_way(path: &Path, read: &[&Path], replacing: Replacing) -> Option<String> {
    let shown = path.display();
    let folder = folder(path);
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => return Some(format!("{} is not a folder", folder.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let make = super::tell::shell(folder);
            return Some(format!("the folder {} does not exist; run: mkdir -p {make}", folder.display()));
        }
        Err(error) => return Some(format!("{}: {error}", folder.display())),
        Ok(_) => {}
    }
    if read.iter().any(|other| same(path, other)) {
        return Some(format!("{shown} is read by this command and may not be written by it"));
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => Some(format!("{shown}: {error}")),
        Ok(found) if found.is_dir() => Some(format!("{shown} is a folder; name a file in it, or use --out")),
        Ok(found) if !found.is_file() && !found.is_symlink() => {
            Some(format!("{shown} is not a regular file"))
        }
        Ok(_) if replacing == Replacing::Files => None,
        Ok(_) => Some(format!("{shown} exists; add --force to replace it, or name another file")),
    }
}

fn same(path: &Path, other: &Path) -> bool {
    matches!((path.canonicalize(), other.canonicalize()), (Ok(path), Ok(other)) if path == other)
}

/// The folder that a file is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
