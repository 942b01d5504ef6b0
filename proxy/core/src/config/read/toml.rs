//! The tree of a TOML document.

use serde_spanned::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::tree::{Entry, Node, Value};

/// The tree of a document without errors of syntax. It is as deep as the parser lets a document be.
pub(super) fn tree(document: Spanned<DeTable<'_>>) -> Node<'_> {
    Node { offset: document.span().start, value: table(document.into_inner()) }
}

fn node(value: Spanned<DeValue<'_>>) -> Node<'_> {
    let offset = value.span().start;
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text),
        DeValue::Integer(number) => integer(&number),
        DeValue::Float(number) => Value::Number(number.to_string().into()),
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Datetime(date) => Value::Date(date.to_string().into()),
        DeValue::Array(items) => Value::List(items.into_iter().map(node).collect()),
        DeValue::Table(entries) => table(entries),
    };
    Node { offset, value }
}

fn table(entries: DeTable<'_>) -> Value<'_> {
    let entry = |(key, value): (Spanned<_>, _)| Entry {
        offset: key.span().start,
        key: key.into_inner(),
        node: node(value),
    };
    Value::Table(entries.into_iter().map(entry).collect())
}

fn integer<'t>(number: &DeInteger<'_>) -> Value<'t> {
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(value) if number.radix() == 10 => Value::Integer(value, None),
        Ok(value) => Value::Integer(value, Some(number.to_string().into())),
        Err(_) => Value::Number(number.to_string().into()),
    }
}
