//! The tree of a TOML document.

use serde_spanned::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::apart::Places;
use super::tree::{Entry, Node, Value};

/// The tree of a document without errors of syntax, whose text stands in the file at `places`.
///
/// It is as deep as the parser lets a document be.
pub(super) fn tree<'t>(document: Spanned<DeTable<'t>>, places: &Places) -> Node<'t> {
    Node { offset: places.of(document.span().start), value: table(document.into_inner(), places) }
}

fn node<'t>(value: Spanned<DeValue<'t>>, places: &Places) -> Node<'t> {
    let offset = places.of(value.span().start);
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text),
        DeValue::Integer(number) => integer(&number),
        DeValue::Float(number) => Value::Number(number.to_string().into()),
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Datetime(date) => Value::Date(date.to_string().into()),
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| node(item, places)).collect()),
        DeValue::Table(entries) => table(entries, places),
    };
    Node { offset, value }
}

fn table<'t>(entries: DeTable<'t>, places: &Places) -> Value<'t> {
    let entry = |(key, value): (Spanned<_>, _)| Entry {
        offset: places.of(key.span().start),
        key: key.into_inner(),
        node: node(value, places),
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
