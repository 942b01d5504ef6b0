//! The text of a generation.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Kept;
use crate::held::Position;
use crate::wire::{Change, Kind, LONGEST_LINE, Name, Resource, ToClient, Version};

/// The form of the text that is written here. A newer one is refused, as its meaning isn't known.
const SCHEMA: u32 = 1;

/// The first line of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The form of the text.
    #[serde(rename = "landbridge_snapshot")]
    schema: u32,
    /// The last update in it.
    #[serde(flatten)]
    pub position: Position,
    /// Epochs that were left before, oldest first.
    #[serde(default)]
    pub left: Vec<String>,
    /// When it was saved, in seconds since 1970.
    pub saved_at: u64,
}

impl Header {
    /// The header of a generation that is saved at `saved_at`, in seconds since 1970.
    pub fn new(position: Position, left: impl IntoIterator<Item = String>, saved_at: u64) -> Self {
        Self { schema: SCHEMA, position, left: left.into_iter().collect(), saved_at }
    }
}

/// The last line of a generation.
#[derive(Serialize, Deserialize)]
struct Seal {
    sha256: String,
}

/// Why a generation can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no such file.
    #[error("there is none")]
    Absent,
    /// It can't be read.
    #[error("can't be read: {0}")]
    Io(io::Error),
    /// It isn't a generation.
    #[error("is not a snapshot of landbridge")]
    Foreign,
    /// A later version of this program wrote it.
    #[error("was written by a later version of landbridge: its form is {0}, known here is {SCHEMA}")]
    Newer(u32),
    /// Its end is missing.
    #[error("is cut short")]
    Torn,
    /// What it says isn't what was written.
    #[error("is damaged: its checksum is another")]
    Damaged,
    /// A line that no version of this program writes, though the checksum is right.
    #[error("line {line}: {expected}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What was expected.
        expected: String,
    },
}

impl LoadError {
    /// One word for it, for metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Io(_) => "unreadable",
            Self::Foreign => "foreign",
            Self::Newer(_) => "newer",
            Self::Torn => "torn",
            Self::Damaged => "damaged",
            Self::Line { .. } => "invalid",
        }
    }
}

pub(super) fn write<'a>(
    file: &mut impl Write,
    header: &Header,
    resources: impl IntoIterator<Item = (Kind, &'a str, Version, &'a str)>,
) -> io::Result<()> {
    let mut context = Context::new(&SHA256);
    let mut line = serde_json::to_vec(header)?;
    for (kind, name, version, spec) in resources {
        seal(file, &mut context, &mut line)?;
        // Spelled as on the stream. A name has no quotes to escape: it is serialized all the same.
        write!(line, r#"{{"type":"{kind}","name":"#)?;
        serde_json::to_writer(&mut line, name)?;
        write!(line, r#","version":"{version}","spec":{spec}}}"#)?;
    }
    seal(file, &mut context, &mut line)?;
    serde_json::to_writer(&mut *file, &Seal { sha256: hexadecimal(context) })?;
    file.write_all(b"\n")
}

/// Writes a line that is complete but for its newline, and makes room for the next.
fn seal(file: &mut impl Write, context: &mut Context, line: &mut Vec<u8>) -> io::Result<()> {
    line.push(b'\n');
    context.update(line);
    file.write_all(line)?;
    line.clear();
    Ok(())
}

/// Reads a generation; nothing of it is given away unless all of it is right.
pub(super) fn read(path: &Path) -> Result<(Header, Vec<Kept>), LoadError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LoadError::Absent,
        _ => LoadError::Io(error),
    })?;
    if !file.metadata().map_err(LoadError::Io)?.is_file() {
        return Err(LoadError::Foreign);
    }
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut context = Context::new(&SHA256);
    let mut line = Vec::new();
    next_line(&mut reader, &mut line)?;
    let header = header(&line)?;
    context.update(&line);

    let mut resources = Vec::new();
    for number in 2.. {
        next_line(&mut reader, &mut line)?;
        if let Some(sealed) = sealed(&line) {
            if sealed != hexadecimal(context) {
                return Err(LoadError::Damaged);
            }
            let mut more = [0];
            let ends = reader.read(&mut more).map_err(LoadError::Io)? == 0;
            return if ends { checked(resources) } else { Err(LoadError::Damaged) }.map(|all| (header, all));
        }
        context.update(&line);
        resources.push((number, resource(&line)));
    }
    Err(LoadError::Torn)
}

/// A line with its newline.
fn next_line(reader: &mut BufReader<File>, line: &mut Vec<u8>) -> Result<(), LoadError> {
    line.clear();
    // Four times the limit of the stream, as names may be escaped and keys come on top.
    let most = 4 * LONGEST_LINE as u64;
    let count = reader.take(most).read_until(b'\n', line).map_err(LoadError::Io)?;
    match line.last() {
        Some(b'\n') => Ok(()),
        _ if count as u64 == most => Err(LoadError::Foreign),
        _ => Err(LoadError::Torn),
    }
}

fn header(line: &[u8]) -> Result<Header, LoadError> {
    #[derive(Deserialize)]
    struct Form {
        landbridge_snapshot: u32,
    }
    let form: Form = serde_json::from_slice(line).map_err(|_| LoadError::Foreign)?;
    if form.landbridge_snapshot > SCHEMA {
        return Err(LoadError::Newer(form.landbridge_snapshot));
    }
    serde_json::from_slice(line).map_err(|_| LoadError::Foreign)
}

fn sealed(line: &[u8]) -> Option<String> {
    if !line.starts_with(br#"{"sha256""#) {
        return None;
    }
    serde_json::from_slice(line).ok().map(|seal: Seal| seal.sha256)
}

/// What a line says, or what is wrong with it: told only once the checksum was right.
fn resource(line: &[u8]) -> Result<Kept, String> {
    match ToClient::read(line) {
        Ok(Some(ToClient::Resource(Resource { kind, name, change: Change::Set { version, spec } }))) => {
            kept(kind, name, version, spec)
        }
        Ok(_) => Err("expected a resource with its version and spec".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn kept(kind: Kind, name: Name, version: Version, spec: Box<RawValue>) -> Result<Kept, String> {
    if Version::of(spec.get().as_bytes()) == version {
        Ok(Kept { kind, name, version, spec })
    } else {
        Err(format!("the version of {kind} {name} is not that of its spec"))
    }
}

fn checked(resources: Vec<(usize, Result<Kept, String>)>) -> Result<Vec<Kept>, LoadError> {
    let judged = resources.into_iter();
    judged.map(|(line, kept)| kept.map_err(|expected| LoadError::Line { line, expected })).collect()
}

fn hexadecimal(context: Context) -> String {
    use std::fmt::Write as _;
    context.finish().as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
