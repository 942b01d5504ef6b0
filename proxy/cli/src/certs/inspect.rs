//! `landbridge certs inspect`: what files hold, in text or JSON.

mod json;
mod text;

use std::path::Path;
use std::process::ExitCode;

use landbridge_certs::inspect::{Certificate, Document, InspectError, Key, signed_by};
use rustls_pki_types::UnixTime;

use super::args;
use super::tell::{complain, say};
use crate::report_format::ReportFormat;

/// Tells of every file that can be read, and complains of every other.
pub(super) fn inspect(arguments: &args::Inspect) -> ExitCode {
    let now = UnixTime::now();
    let read: Vec<(&Path, Result<Document, InspectError>)> =
        arguments.files.iter().map(|path| (path.as_path(), Document::read(path))).collect();
    let documents: Vec<&Document> = read.iter().filter_map(|(_, document)| document.as_ref().ok()).collect();
    match arguments.format {
        ReportFormat::Text => say(text::report(&documents, now).trim_end()),
        ReportFormat::Json => {
            let errors = read
                .iter()
                .filter_map(|(path, document)| document.as_ref().err().map(|error| (*path, error)))
                .collect::<Vec<_>>();
            say(json::report(&documents, &errors, now));
        }
    }
    let mut exit = ExitCode::SUCCESS;
    for (_, document) in &read {
        if let Err(error) = document {
            complain(error);
            exit = ExitCode::FAILURE;
        }
    }
    exit
}

/// Which certificate of which file a key belongs to: its own file first.
fn owner_of<'a>(key: &Key, own: &'a Document, documents: &[&'a Document]) -> Option<(&'a Document, usize)> {
    let others = documents.iter().copied().filter(|other| !std::ptr::eq(*other, own));
    std::iter::once(own)
        .chain(others)
        .find_map(|document| document.place_of(key).map(|place| (document, place)))
}

/// How many certificates of other files are compared with one that has no issuer in its own.
const COMPARED: usize = 64;

/// Which certificate of another file signed this one.
fn signer_of<'a>(
    certificate: &Certificate,
    own: &Document,
    documents: &[&'a Document],
) -> Option<(&'a Document, usize)> {
    let others = documents.iter().copied().filter(|other| !std::ptr::eq(*other, own));
    others
        .flat_map(|document| document.certificates.iter().enumerate().map(move |it| (document, it)))
        .take(COMPARED)
        .find(|(_, (_, above))| signed_by(certificate, above))
        .map(|(document, (place, _))| (document, place))
}

/// Whether every user of the machine can read the file.
fn exposed(file: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o007 != 0)
}
