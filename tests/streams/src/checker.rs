//! A receiver's check of one stream: which prefix of it is there, and what is wrong behind that.

use std::fmt;

use crate::diagnosis::diagnose;
use crate::header::Header;
use crate::stream::{HEADER, Label};

/// How many bytes behind the first wrong one are kept for the diagnosis: more than a gateway's largest buffer.
const WINDOW: usize = 2 << 20;

/// What is wrong with a stream, at the first byte that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// So many bytes are missing, and the stream goes on behind them.
    Lost {
        /// Where.
        at: u64,
        /// How many.
        length: u64,
    },
    /// So many bytes came again.
    Duplicated {
        /// Where they came again.
        at: u64,
        /// How many.
        length: u64,
    },
    /// Bytes came before others that belong in front of them.
    Reordered {
        /// Where.
        at: u64,
        /// By how many bytes the first of them came too early.
        early: u64,
    },
    /// Bytes of another stream.
    Foreign {
        /// Where.
        at: u64,
        /// Whose.
        from: Label,
    },
    /// Bytes were changed in place.
    Corrupted {
        /// Where the first is.
        at: u64,
        /// How many were looked at that differ.
        length: u64,
    },
    /// Bytes of no stream at all.
    Unknown {
        /// Where.
        at: u64,
    },
    /// More than the sender has.
    Surplus {
        /// Where the stream should have ended.
        at: u64,
    },
}

/// Checks a stream as it comes.
pub struct Checker {
    /// Known once the header is.
    expected: Option<Expected>,
    head: Vec<u8>,
    good: u64,
    total: u64,
    wrong: Vec<u8>,
    scratch: Vec<u8>,
}

struct Expected {
    header: Header,
    length: u64,
}

impl Checker {
    /// For a receiver that learns from the header what it receives.
    pub(crate) fn new() -> Self {
        Self { expected: None, head: Vec::new(), good: 0, total: 0, wrong: Vec::new(), scratch: Vec::new() }
    }

    /// For a receiver that knows what has to come.
    pub(crate) fn expecting(header: Header) -> Self {
        Self { expected: Some(Expected::of(header)), ..Self::new() }
    }

    /// Takes what came next.
    pub fn take(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        if !self.wrong.is_empty() {
            return self.keep(bytes);
        }
        let missing = usize::try_from(HEADER).unwrap_or_default().saturating_sub(self.head.len());
        let (head, payload) = bytes.split_at(missing.min(bytes.len()));
        if !head.is_empty() {
            self.head.extend_from_slice(head);
            self.check_head();
        }
        if !self.wrong.is_empty() {
            return self.keep(payload);
        }
        self.check(payload);
    }

    /// How many bytes from the beginning are right.
    pub fn prefix(&self) -> u64 {
        self.good
    }

    /// How many bytes came.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What the header says, once it is there.
    pub(crate) fn header(&self) -> Option<Header> {
        self.expected.as_ref().filter(|_| self.good >= HEADER).map(|expected| expected.header)
    }

    /// What is wrong with it, as far as that can be told from what came.
    pub fn fault(&self) -> Option<Fault> {
        if self.wrong.is_empty() {
            return None;
        }
        let at = self.good;
        let Some(expected) = &self.expected else { return Some(Fault::Unknown { at }) };
        if at < HEADER {
            let from = Header::parse(&self.wrong).map(|header| header.label);
            let from = from.filter(|label| *label != expected.header.label);
            return Some(from.map_or(Fault::Unknown { at }, |from| Fault::Foreign { at, from }));
        }
        Some(diagnose(expected.header.label, at, expected.length, &self.wrong))
    }

    fn check_head(&mut self) {
        match &self.expected {
            Some(expected) => {
                let right = expected.header.bytes();
                if right.starts_with(&self.head) {
                    self.good = self.head.len() as u64;
                } else {
                    // All of the header is kept, so that one of another stream is recognised.
                    self.good = 0;
                    self.wrong.clone_from(&self.head);
                }
            }
            None if self.head.len() as u64 == HEADER => match Header::parse(&self.head) {
                Some(header) => {
                    self.good = HEADER;
                    self.expected = Some(Expected::of(header));
                }
                None => self.wrong.clone_from(&self.head),
            },
            None => {}
        }
    }

    fn check(&mut self, bytes: &[u8]) {
        let Some(expected) = &self.expected else { return };
        if bytes.is_empty() {
            return;
        }
        self.scratch.clear();
        let left = expected.length.saturating_sub(self.good).min(bytes.len() as u64);
        expected.header.label.fill(self.good, &mut self.scratch, left);
        if self.scratch == bytes {
            self.good += bytes.len() as u64;
            return;
        }
        let right = self.scratch.iter().zip(bytes).take_while(|(expected, came)| expected == came).count();
        self.good += right as u64;
        self.keep(bytes.get(right..).unwrap_or_default());
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = WINDOW.saturating_sub(self.wrong.len()).min(bytes.len());
        self.wrong.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }
}

impl Expected {
    fn of(header: Header) -> Self {
        let plan = header.plans.of(header.label.way);
        Self { header, length: plan.length }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { at, length } => write!(f, "{length} bytes lost at {at}"),
            Self::Duplicated { at, length } => write!(f, "{length} bytes came twice at {at}"),
            Self::Reordered { at, early } => write!(f, "bytes at {at} came {early} bytes too early"),
            Self::Foreign { at, from } => {
                write!(f, "bytes of connection {} ({:?}) at {at}", from.connection, from.way)
            }
            Self::Corrupted { at, length } => write!(f, "{length} bytes changed from {at} on"),
            Self::Unknown { at } => write!(f, "bytes of no stream at {at}"),
            Self::Surplus { at } => write!(f, "more than was sent, from {at} on"),
        }
    }
}
