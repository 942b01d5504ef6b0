//! Keys that are known and cannot be honoured yet: refused at any value but their default.
//!
//! This is the one list of them; an entry goes when what it names is built.

use super::findings::{Complaint, Findings, Place};
use super::raw::{List, RawConfig};
use super::read::Field;

struct Unavailable {
    /// What is not there.
    what: &'static str,
    /// What to write instead.
    instead: &'static str,
    /// Where the document asks for it.
    asked: fn(&RawConfig) -> Vec<Place>,
}

const LIST: [Unavailable; 1] = [Unavailable {
    what: "the stream of configuration",
    instead: "remove it; the file is reloaded by SIGHUP",
    asked: |raw| {
        let control = said(raw.control.as_ref());
        control.and_then(|raw| filled(raw.servers.as_ref())).into_iter().collect()
    },
}];

/// Notes every use of what is not available.
pub(super) fn refuse(raw: &RawConfig, found: &mut Findings) {
    for Unavailable { what, instead, asked } in &LIST {
        for place in asked(raw) {
            let message = format!("{what} is not available in this version of landbridge");
            found.error(place, Complaint::new(message).help(*instead));
        }
    }
}

fn said<T>(section: Option<&Field<T>>) -> Option<&T> {
    section.and_then(|field| field.value.as_ref())
}

/// The place of a list that is not empty.
fn filled<T>(list: Option<&List<T>>) -> Option<Place> {
    let field = list?;
    let empty = field.value.as_ref().is_none_or(Vec::is_empty);
    (!empty).then_some(field.place)
}
