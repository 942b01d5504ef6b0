//! An update on its way, encoded as far as it is sent.

use std::sync::Arc;

use hyper::body::Bytes;
use landbridge_control_client::wire::{Farewell, Restates, ToClient};

use super::protocol;
use crate::resource::Entry;
use crate::store::{Item, Sums};

/// Lines are sent together up to so many bytes; a longer line goes alone.
const CHUNK: usize = 32 * 1024;

/// One update.
pub(super) struct Telling {
    nonce: String,
    seq: u64,
    /// What it says everything of.
    pub(super) restates: Restates,
    begin: Option<Bytes>,
    items: Items,
    /// How many of the items were sent.
    sent: usize,
    end: Option<Bytes>,
}

enum Items {
    /// Shared by all who are told the same.
    Everything(Arc<[Arc<Entry>]>),
    Changes(Vec<Item>),
}

impl Telling {
    /// A snapshot.
    pub(super) fn everything(sums: &Sums) -> Self {
        Self::new(sums.seq(), Restates::All, Items::Everything(sums.entries().clone()))
    }

    /// Changes only.
    pub(super) fn changes(seq: u64, items: Vec<Item>) -> Self {
        Self::new(seq, Restates::Nothing, Items::Changes(items))
    }

    fn new(seq: u64, restates: Restates, items: Items) -> Self {
        Self { nonce: String::new(), seq, restates, begin: None, items, sent: 0, end: None }
    }

    /// Gives it its first and last line.
    pub(super) fn frame(&mut self, nonce: String, begin: &ToClient, end: &ToClient) {
        self.nonce = nonce;
        self.begin = Some(begin.to_line().into());
        self.end = Some(end.to_line().into());
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn has_deltas(&self) -> bool {
        match &self.items {
            Items::Everything(_) => false,
            Items::Changes(items) => items.iter().any(|item| matches!(item, Item::Delta(_))),
        }
    }

    pub(super) fn has_next(&self) -> bool {
        self.end.is_some()
    }

    /// Whether an answer with this nonce is one to this update.
    ///
    /// # Errors
    /// It is not, or comes before the update's end was sent.
    pub(super) fn answered(&self, nonce: &str) -> Result<(), Farewell> {
        if nonce == self.nonce && !self.has_next() { Ok(()) } else { Err(protocol("an answer to no update")) }
    }

    /// The next lines.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        if !self.has_next() {
            return None;
        }
        let mut chunk: Vec<u8> = Vec::new();
        if let Some(begin) = self.begin.take() {
            chunk.extend_from_slice(&begin);
        }
        while let Some(line) = self.items.line(self.sent) {
            if chunk.len() + line.len() > CHUNK {
                if chunk.is_empty() {
                    let alone = line.clone();
                    self.sent += 1;
                    return Some(alone);
                }
                return Some(chunk.into());
            }
            chunk.extend_from_slice(line);
            self.sent += 1;
        }
        if let Some(end) = self.end.take() {
            chunk.extend_from_slice(&end);
        }
        Some(chunk.into())
    }
}

impl Items {
    fn line(&self, index: usize) -> Option<&Bytes> {
        match self {
            Self::Everything(entries) => entries.get(index).map(|entry| entry.line()),
            Self::Changes(items) => items.get(index).map(|item| match item {
                Item::Whole(entry) => entry.line(),
                Item::Delta(line) | Item::Removed(line) => line,
            }),
        }
    }
}
