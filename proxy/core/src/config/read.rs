//! From text to the raw configuration, going on after each mistake.
//!
//! A value that is not of its type leaves its [`Field`] without a value, a key that is not known is
//! passed over, and both are noted; so one pass over the document finds all of them.

use std::cell::RefCell;
use std::ops::Range;

use ::toml::de::{DeTable, Error};
use serde::de::DeserializeOwned;

use super::findings::{Complaint, Findings, Place, Step};

mod apart;
mod fault;
mod field;
mod inside;
mod json;
mod nesting;
mod reader;
mod shown;
mod toml;
mod tree;

pub(super) use apart::Apart;
use apart::Places;
pub(super) use field::Field;
use reader::Reader;
pub(super) use tree::Node;

/// More errors of syntax than this are counted only: they are likely to follow from one another.
const SYNTAX_ERRORS_SHOWN: usize = 100;

/// Reads a document; `None` if it is not TOML, or not a `T` at all.
pub(super) fn read<T: DeserializeOwned>(text: &str, found: &mut Findings) -> Option<Field<T>> {
    if is_too_deep(text, found) {
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        note_syntax(text, &errors, found);
        return None;
    }
    let place = found.at(0);
    Some(field(&toml::tree(table, &Places::from(0)), place, &[], found))
}

/// Takes a document with many services apart; `None` if it has to be read as a whole.
pub(super) fn apart(text: &str) -> Option<Apart> {
    if nesting::too_deep(text).is_some() { None } else { apart::apart(text) }
}

impl Apart {
    /// Reads all but the services; `None` if the document has to be read as a whole.
    pub(super) fn rest<T: DeserializeOwned>(&self, found: &mut Findings) -> Option<Field<T>> {
        let (table, errors) = DeTable::parse_recoverable(&self.rest);
        let tree = toml::tree(table, &self.places);
        if !errors.is_empty() || tree.inside("service").is_some() {
            return None;
        }
        let place = found.at(0);
        Some(field(&tree, place, &[], found))
    }
}

/// Reads the service at `index`, which is the part `range` of the text; `None` if the document has to be read as a whole.
pub(super) fn service<T: DeserializeOwned>(
    text: &str,
    range: &Range<usize>,
    index: usize,
    found: &mut Findings,
) -> Option<Field<T>> {
    let (table, errors) = DeTable::parse_recoverable(text.get(range.clone())?);
    if !errors.is_empty() {
        return None;
    }
    let tree = toml::tree(table, &Places::from(range.start));
    let [service] = tree.only("service")? else { return None };
    let place = found.at(0);
    let place = found.inside(place, Step::Key("service".into()), service.offset);
    let place = found.inside(place, Step::Index(index), service.offset);
    Some(field(service, place, &[], found))
}

fn is_too_deep(text: &str, found: &mut Findings) -> bool {
    let Some(offset) = nesting::too_deep(text) else { return false };
    let place = found.at(offset);
    found.error(place, Complaint::new("this key has more parts than any key of this file can have"));
    true
}

/// Reads a JSON text into a tree; `None` if it is not JSON.
pub(super) fn json<'t>(text: &'t str, found: &mut Findings) -> Option<Node<'t>> {
    let tree = json::tree(text);
    tree.map_err(|error| {
        let place = found.at(0);
        found.error(place, Complaint::new(format!("cannot be read as JSON: {error}")));
    })
    .ok()
}

/// Reads the value of a tree, whose place is `place`. The keys `beside` may be in it too, and are passed over.
pub(super) fn field<T: DeserializeOwned>(
    node: &Node<'_>,
    place: Place,
    beside: &'static [&'static str],
    found: &mut Findings,
) -> Field<T> {
    let shared = RefCell::new(std::mem::take(found));
    let field = Reader::new(node, place, beside, &shared).field();
    *found = shared.into_inner();
    field
}

fn note_syntax(text: &str, errors: &[Error], found: &mut Findings) {
    let mut last = None;
    for error in errors.iter().take(SYNTAX_ERRORS_SHOWN) {
        let span = error.span().unwrap_or_default();
        let place = found.at(span.start);
        let complaint = match error.message() {
            "duplicate key" => {
                let key = text.get(span.clone()).unwrap_or_default();
                Complaint::new(format!("`{key}` is written twice")).help("keep one of the two")
            }
            message => Complaint::new(message),
        };
        if last.as_ref() != Some(&(span.start, complaint.clone())) {
            found.error(place, complaint.clone());
        }
        last = Some((span.start, complaint));
    }
    let unseen = errors.len().saturating_sub(SYNTAX_ERRORS_SHOWN);
    if unseen > 0 {
        let place = found.at(text.len());
        found.error(
            place,
            Complaint::new(format!("and {unseen} more errors like these")).help("is this file TOML?"),
        );
    }
}
