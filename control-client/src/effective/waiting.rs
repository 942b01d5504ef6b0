//! Refusals in the words of the stream, and what of them may be right later.

use landbridge_core::config::resource::{Code, Objection};

use super::change::Work;
use crate::session::{SetResource, code};
use crate::wire::{Kind, Name, Refused};

/// So many resources wait at most; the others come again when they change, or with the next digests.
pub(super) const MOST: usize = 10_000;

/// A refusal of a resource.
pub(super) fn refused(resource: &SetResource, field: &str, code: &str, text: String) -> Refused {
    Refused {
        kind: resource.kind,
        name: resource.name.clone(),
        version: Some(resource.version),
        field: field.to_owned(),
        code: code.to_owned(),
        text,
    }
}

impl Work<'_> {
    /// Refuses a resource for the first thing that is wrong with it, and says how many more there are.
    pub(super) fn refuse_all(&mut self, resource: &SetResource, objections: &[Objection]) {
        let (field, word, mut text) = match objections {
            [first, ..] => (first.field.as_str(), first.code, said(first)),
            [] => ("", Code::Invalid, "expected another spec".to_owned()),
        };
        if let [_, _, ..] = objections {
            let fields: Vec<&str> =
                objections.iter().skip(1).map(|more| more.field.as_str()).take(8).collect();
            text = format!("{text} (and {} more: {})", objections.len() - 1, fields.join(", "));
        }
        self.refuse(refused(resource, field, word.as_str(), text));
    }

    pub(super) fn refuse(&mut self, refused: Refused) {
        let name = refused.name.clone();
        self.overlay.forget(refused.kind, name.as_str());
        self.refused.push(refused);
    }

    /// What is refused for something else's sake: it is judged again with the next update.
    pub(super) fn keep_waiting(&mut self) {
        for refused in &self.refused {
            let key: (Kind, Name) = (refused.kind, refused.name.clone());
            let may_be_right_later = ["conflict", "unknown_reference"].contains(&refused.code.as_str());
            if let (true, Some(resource)) = (may_be_right_later, self.asked.get(&key))
                && self.waiting.len() < MOST
            {
                self.waiting.insert(key, (*resource).clone());
            }
        }
    }
}

fn said(objection: &Objection) -> String {
    match &objection.help {
        Some(help) => format!("{}; {help}", objection.message),
        None => objection.message.clone(),
    }
}

/// The code of what waits to be confirmed.
pub(super) const HELD: &str = "held";
/// The code of what is left out because another has its name.
pub(super) const CONFLICT: &str = "conflict";
/// The code of what breaks a rule.
pub(super) const INVALID: &str = code::INVALID;
