//! The JSON Schema of the configuration file, from the types that it is read into.
//!
//! What depends on other keys (which of two keys is required, which names lead somewhere) is beyond it;
//! [`parse`](super::parse) says that.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::raw::{AutoOr, DurationText, Number, OffOr, OneOrMany, RawBoundGrant, RawConfig, RawGrant};
use super::read::Field;

/// The JSON Schema (draft 2020-12) of the configuration file, for editors and other tools.
pub fn schema() -> impl Serialize {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RawConfig>();
    RecursiveTransform(without_null).transform(&mut schema);
    schema.insert("title".to_owned(), "The configuration of Landbridge".into());
    schema.insert(
        "description".to_owned(),
        "One TOML file; every key is described in docs/configuration.md.".into(),
    );
    schema
}

/// TOML has no null: a key that is optional may be absent.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(kinds) = object.get_mut("type").and_then(|kinds| kinds.as_array_mut()) {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            object.insert("type".to_owned(), kind);
        }
    }
    let null = json_schema!({ "type": "null" });
    if let Some(ways) = object.get_mut("anyOf").and_then(|ways| ways.as_array_mut()) {
        ways.retain(|way| way != null.as_value());
        if ways.len() == 1
            && let Some(way) = ways.pop()
        {
            object.remove("anyOf");
            // What is said of the key here is said of it in particular.
            for (key, value) in way.as_object().cloned().unwrap_or_default() {
                object.entry(key).or_insert(value);
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Implements the trait for what is written as a number within bounds, or as one of these words.
macro_rules! bounded {
    ($($name:ident: $($word:literal)?;)+) => {$(
        impl<const LEAST: u32, const MOST: u32> JsonSchema for $name<LEAST, MOST> {
            fn schema_name() -> Cow<'static, str> {
                concat!(stringify!($name), " within bounds").into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let number = number(LEAST, MOST);
                $(let number = json_schema!({ "anyOf": [number, { "const": $word }] });)?
                number
            }
        }
    )+};
}
bounded! {
    Number: ;
    AutoOr: "auto";
    OffOr: "off";
}

fn number(least: u32, most: u32) -> Schema {
    let mut schema = json_schema!({ "type": "integer", "minimum": least });
    if most != u32::MAX {
        schema.insert("maximum".to_owned(), most.into());
    }
    schema
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["250ms", "5s", "1h 30m", "off"] })
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

impl JsonSchema for RawGrant {
    fn schema_name() -> Cow<'static, str> {
        "Grant".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let bound = RawBoundGrant::json_schema(generator);
        json_schema!({ "anyOf": [{ "type": "string" }, bound] })
    }
}
