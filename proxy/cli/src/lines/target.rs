//! Where the lines go.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// An open stream or file.
#[derive(Debug)]
pub(crate) struct Target {
    sink: Sink<File>,
    /// Absent where there is nothing to open anew.
    path: Option<PathBuf>,
}

/// What takes lines, without a buffer of its own.
#[derive(Debug)]
struct Sink<W> {
    out: W,
    /// The last write ended within a line.
    torn: bool,
}

/// Lines that were not written whole.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) lines: u64,
    pub(crate) error: io::Error,
}

impl Target {
    pub(crate) fn stdout() -> io::Result<Self> {
        Self::stream(&io::stdout())
    }

    pub(crate) fn stderr() -> io::Result<Self> {
        Self::stream(&io::stderr())
    }

    /// A file to append to; it is created, with mode 0640, where it does not exist.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        Ok(Self { sink: Sink::new(open(path)?), path: Some(path.to_owned()) })
    }

    fn stream(stream: &impl AsFd) -> io::Result<Self> {
        Ok(Self { sink: Sink::new(File::from(stream.as_fd().try_clone_to_owned()?)), path: None })
    }

    /// Opens the file anew; does nothing for a stream.
    ///
    /// # Errors
    /// The file can't be opened. The old one stays in use.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.sink = Sink::new(open(path)?);
        }
        Ok(())
    }

    /// Writes whole lines, at once if the target takes them; `pause` is called while it takes none.
    pub(crate) fn write(&mut self, lines: &[u8], pause: impl Fn()) -> Result<(), Lost> {
        self.sink.write(lines, pause)
    }
}

#[cfg(test)]
impl From<File> for Target {
    fn from(file: File) -> Self {
        Self { sink: Sink::new(file), path: None }
    }
}

impl<W: Write> Sink<W> {
    fn new(out: W) -> Self {
        Self { out, torn: false }
    }

    fn write(&mut self, lines: &[u8], pause: impl Fn()) -> Result<(), Lost> {
        let mut rest = lines;
        while !rest.is_empty() {
            // What was torn stays on a line of its own.
            let next = if self.torn { b"\n".as_slice() } else { rest };
            match self.out.write(next) {
                Ok(0) => return Err(self.lose(lines, rest, ErrorKind::WriteZero.into())),
                Ok(_) if self.torn => self.torn = false,
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => pause(),
                Err(error) => return Err(self.lose(lines, rest, error)),
            }
        }
        Ok(())
    }

    fn lose(&mut self, lines: &[u8], rest: &[u8], error: io::Error) -> Lost {
        let written = lines.get(..lines.len() - rest.len()).unwrap_or_default();
        self.torn |= written.last().is_some_and(|byte| *byte != b'\n');
        let ends = rest.iter().filter(|byte| **byte == b'\n');
        Lost { lines: u64::try_from(ends.count()).unwrap_or(u64::MAX), error }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes.
    struct Disk {
        room: usize,
        bytes: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= count;
            self.bytes.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_torn_by_a_full_disk_does_not_spoil_the_next_one() {
        let mut sink = Sink::new(Disk { room: 6, bytes: Vec::new() });
        let lost = sink.write(b"one\ntwo\nthree\n", || {}).unwrap_err();
        assert_eq!((lost.lines, lost.error.kind()), (2, ErrorKind::StorageFull));
        assert_eq!(sink.write(b"four\n", || {}).unwrap_err().lines, 1);
        sink.out.room = 100;
        sink.write(b"five\nsix\n", || {}).unwrap();
        sink.write(b"seven\n", || {}).unwrap();
        assert_eq!(sink.out.bytes, b"one\ntw\nfive\nsix\nseven\n");
    }
}
