//! A document as the reader walks it, whatever language it is written in.

use std::borrow::Cow;

/// A value, and where its text begins.
#[derive(Debug)]
pub(in crate::config) struct Node<'t> {
    pub(super) offset: usize,
    pub(super) value: Value<'t>,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Value<'t> {
    Text(Cow<'t, str>),
    /// A whole number, and how it is written where that is not its decimal.
    Integer(i64, Option<Box<str>>),
    /// A number that no key of ours can have: with a fraction, or too large.
    Number(Box<str>),
    Flag(bool),
    Date(Box<str>),
    /// What JSON writes for nothing. In a table it is as if its key were absent.
    Null,
    List(Vec<Node<'t>>),
    Table(Vec<Entry<'t>>),
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    pub(super) key: Cow<'t, str>,
    /// Where the key begins.
    pub(super) offset: usize,
    pub(super) node: Node<'t>,
}

impl<'t> Node<'t> {
    /// The elements of the list that a table has as its only key, if this is one and has that.
    pub(super) fn only(&self, key: &str) -> Option<&[Node<'t>]> {
        match &self.value {
            Value::Table(entries) => match entries.as_slice() {
                [Entry { key: only, node: Node { value: Value::List(list), .. }, .. }] if only == key => {
                    Some(list)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The value of a key, if this is a table that has it.
    pub(in crate::config) fn inside(&self, key: &str) -> Option<&Node<'t>> {
        let Value::Table(entries) = &self.value else { return None };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        (!matches!(entry.node.value, Value::Null)).then_some(&entry.node)
    }
}
