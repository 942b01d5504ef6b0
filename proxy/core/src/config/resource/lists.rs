//! Lists of names.

use std::collections::BTreeSet;

use crate::config::findings::{Complaint, Findings, Place};
use crate::config::lower::text;
use crate::config::raw::List;
use crate::config::read::Field;

/// What could be read of a list.
pub(super) fn items<T>(list: Option<&List<T>>) -> &[Field<T>] {
    list.and_then(|list| list.value.as_deref()).unwrap_or_default()
}

/// Notes that a list is missing where an empty one has to be said.
pub(super) fn required<T>(list: Option<&List<T>>, key: &'static str, table: Place, found: &mut Findings) {
    if list.is_none() {
        let place = found.absent(table, key);
        found.error(place, Complaint::new("missing").help("write [] if there is none"));
    }
}

/// The names of a list, each once and none empty.
pub(super) fn names(list: Option<&List<String>>, found: &mut Findings) -> Vec<Box<str>> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut names = Vec::new();
    for field in items(list) {
        let Some(name) = found.meaning(Some(field), text::not_empty) else { continue };
        if seen.insert(field.value.as_deref().unwrap_or_default()) {
            names.push(name.into());
        } else {
            found.error(field.place, Complaint::new("is listed twice").help("remove one of the two"));
        }
    }
    names
}
