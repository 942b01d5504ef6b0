//! How often the gateway has started lately: a generation that kills it again and again is put aside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Generation, Store, beside};

/// Starts that ended within this time count.
const SHORT: u64 = 60;
/// The third of them in a row begins with the generation before.
const TOO_OFTEN: usize = 3;
/// More than this is never read.
const LONGEST: usize = 4096;

/// The starts noted beside a store: `PATH.starts`, one line each, seconds since 1970.
#[derive(Debug)]
pub struct Starts {
    path: PathBuf,
    /// Those that nobody has called healthy.
    count: usize,
}

impl Starts {
    /// Notes a start at `now`, in seconds since 1970, and looks at those before it.
    ///
    /// A start counts if the next one came within a minute and [`healthy`](Self::healthy) was never called. A clock
    /// that went back ends the row.
    ///
    /// # Errors
    /// What the file system says; nothing is known of earlier starts then.
    pub fn note(store: &Store, now: u64) -> io::Result<Self> {
        let path = beside(&store.path, ".starts");
        let mut row = row(&path, now)?;
        row.push(now);
        let kept = row.len().saturating_sub(TOO_OFTEN);
        let lines: Vec<String> = row.iter().skip(kept).map(u64::to_string).collect();
        fs::write(&path, lines.join("\n") + "\n")?;
        Ok(Self { path, count: row.len() })
    }

    /// In which order generations are to be tried.
    ///
    /// The one before comes first at the third start of a row. No grant comes back with it: see [`Store`].
    pub fn order(&self) -> [Generation; 2] {
        if self.is_safe_mode() {
            [Generation::Previous, Generation::Present]
        } else {
            [Generation::Present, Generation::Previous]
        }
    }

    /// Whether this is the third start of a row, or a later one.
    pub fn is_safe_mode(&self) -> bool {
        self.count >= TOO_OFTEN
    }

    /// Ends the row: this start has held for a minute, or ends because it was asked to.
    ///
    /// # Errors
    /// What the file system says; the row is then as it was.
    pub fn healthy(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The starts that led, each within a minute after the other, to one at `now`.
fn row(path: &Path, now: u64) -> io::Result<Vec<u64>> {
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if text.len() > LONGEST {
        return Ok(Vec::new());
    }
    let mut next = now;
    let mut row = Vec::new();
    for line in text.lines().rev() {
        let Ok(start) = line.parse::<u64>() else { break };
        if next.checked_sub(start).is_none_or(|after| after > SHORT) {
            break;
        }
        row.push(start);
        next = start;
    }
    row.reverse();
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("snapshot"));
        (dir, store)
    }

    #[test]
    fn the_third_start_within_a_minute_of_the_one_before_takes_the_generation_before() {
        let (_dir, store) = scene();
        let now = 1_800_000_000;
        assert!(!Starts::note(&store, now).unwrap().is_safe_mode());
        assert!(!Starts::note(&store, now + 60).unwrap().is_safe_mode());
        let third = Starts::note(&store, now + 120).unwrap();
        assert_eq!(third.order(), [Generation::Previous, Generation::Present]);
        assert!(Starts::note(&store, now + 121).unwrap().is_safe_mode(), "and so do those after it");
    }

    #[test]
    fn a_minute_of_peace_or_a_proper_end_ends_the_row() {
        let (_dir, store) = scene();
        let now = 1_800_000_000;
        Starts::note(&store, now).unwrap();
        Starts::note(&store, now + 1).unwrap();
        assert!(!Starts::note(&store, now + 62).unwrap().is_safe_mode());
        Starts::note(&store, now + 63).unwrap().healthy().unwrap();
        assert!(!Starts::note(&store, now + 64).unwrap().is_safe_mode());
        assert!(!Starts::note(&store, now + 65).unwrap().is_safe_mode());
        assert!(!Starts::note(&store, now).unwrap().is_safe_mode(), "a clock that went back");
    }

    #[test]
    fn whatever_stands_in_the_file_a_start_is_noted() {
        let (dir, store) = scene();
        for text in ["", "\n\n\n", "x\n1800000000\n", "99999999999999999999999\n", "\u{fffd}"] {
            fs::write(dir.path().join("snapshot.starts"), text).unwrap();
            assert!(!Starts::note(&store, 1_800_000_001).unwrap().is_safe_mode(), "{text:?}");
        }
        fs::write(dir.path().join("snapshot.starts"), "1800000000\n".repeat(1000)).unwrap();
        assert!(!Starts::note(&store, 1_800_000_001).unwrap().is_safe_mode());
    }
}
