//! `[identity]` and `[identities.NAME]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::first::FirstTerminating;
use super::text;
use crate::config::KeyPairFiles;
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::RawIdentity;
use crate::config::read::Field;

/// The names that a service may present.
#[derive(Debug, Clone)]
pub(in crate::config) struct Identities {
    pub(in crate::config) names: BTreeSet<String>,
    /// False if some could not be read, so that an unknown name may be one of those.
    pub(in crate::config) complete: bool,
}

/// Where `[identity]` is, if it is written.
#[derive(Clone, Copy)]
pub(super) enum Written {
    /// Nowhere.
    Absent,
    /// There, and empty.
    Empty(Place),
    /// There.
    There,
}

pub(super) fn own(
    raw: Option<Field<RawIdentity>>,
    dir: &Path,
    found: &mut Findings,
) -> (Option<KeyPairFiles>, Written) {
    match raw {
        None => (None, Written::Absent),
        Some(Field { place, value: Some(raw) }) => {
            if is_empty(&raw) {
                (None, Written::Empty(place))
            } else {
                (key_pair(&raw, place, dir, found), Written::There)
            }
        }
        Some(Field { value: None, .. }) => (None, Written::There),
    }
}

pub(super) fn named(
    raw: Option<Field<BTreeMap<String, Field<RawIdentity>>>>,
    dir: &Path,
    found: &mut Findings,
) -> (BTreeMap<String, KeyPairFiles>, Identities) {
    let complete = raw.as_ref().is_none_or(|field| field.value.is_some());
    let raw = super::section(raw);
    let names = raw.keys().cloned().collect();
    let mut named = BTreeMap::new();
    for (name, field) in raw {
        let Some(raw) = field.value else { continue };
        if is_empty(&raw) {
            found.error(field.place, Complaint::new("there is no certificate here").help(WAYS));
        } else if let Some(files) = key_pair(&raw, field.place, dir, found) {
            named.insert(name, files);
        }
    }
    (named, Identities { names, complete })
}

const WAYS: &str = "give certificate and private_key, or directory";

/// Notes that the gateway needs an identity of its own, if it has none.
pub(super) fn require(
    written: Written,
    own: Option<&KeyPairFiles>,
    first: &FirstTerminating,
    found: &mut Findings,
) {
    let place = match written {
        _ if own.is_some() => return,
        // What is wrong with it is noted already.
        Written::There => return,
        Written::Empty(place) => place,
        Written::Absent => found.absent_for("identity", first.place),
    };
    let complaint =
        Complaint::new(format!("missing: {} terminates TLS, so the gateway needs a certificate", first.name));
    found.error(place, complaint.help(format!("add [identity] and {WAYS}")));
}

fn is_empty(raw: &RawIdentity) -> bool {
    raw.certificate.is_none() && raw.private_key.is_none() && raw.directory.is_none()
}

/// The files of one identity that is not empty.
fn key_pair(raw: &RawIdentity, place: Place, dir: &Path, found: &mut Findings) -> Option<KeyPairFiles> {
    let mut path =
        |field: &Option<Field<String>>| found.meaning(field.as_ref(), |text| text::path(text, dir));
    let certificate = path(&raw.certificate);
    let private_key = path(&raw.private_key);
    let directory = path(&raw.directory);
    if let Some(field) = &raw.directory {
        if raw.certificate.is_some() || raw.private_key.is_some() {
            let complaint = Complaint::new("directory stands beside certificate or private_key");
            found.error(field.place, complaint.help("keep either the two files or the directory"));
        }
        return directory.map(KeyPairFiles::Directory);
    }
    for (field, key, other) in
        [(&raw.certificate, "certificate", "private_key"), (&raw.private_key, "private_key", "certificate")]
    {
        if field.is_none() {
            let place = found.absent(place, key);
            found.error(place, Complaint::new(format!("missing: {other} is of no use without it")));
        }
    }
    Some(KeyPairFiles::Pair { certificate: certificate?, private_key: private_key? })
}
