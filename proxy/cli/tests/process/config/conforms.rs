//! As much of a JSON Schema validator as our own schema needs; a keyword that it does not know fails the test.

use serde_json::Value;

/// What of a document does not conform to a schema, each with its place.
pub(super) fn problems(schema: &Value, document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, document, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "type" => of_kind(rule.as_str().unwrap(), value, place, found),
            "const" if rule != value => found.push(format!("{place}: {value} is not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                found.push(format!("{place}: {value} is none of {rule}"));
            }
            "minimum" if value.as_i64().is_some_and(|number| number < rule.as_i64().unwrap()) => {
                found.push(format!("{place}: {value} is less than {rule}"));
            }
            "maximum" if value.as_i64().is_some_and(|number| number > rule.as_i64().unwrap()) => {
                found.push(format!("{place}: {value} is more than {rule}"));
            }
            "required" => {
                let missing = rule.as_array().unwrap().iter().filter_map(Value::as_str);
                let missing = missing.filter(|key| value.get(key).is_none());
                found.extend(missing.map(|key| format!("{place}: {key} is missing")));
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item, &format!("{place}/{index}"), found);
                }
            }
            "anyOf" | "oneOf" => {
                let ways = rule.as_array().unwrap();
                if !ways.iter().any(|way| problems(way, value).is_empty()) {
                    found.push(format!("{place}: is none of {} kinds", ways.len()));
                }
            }
            // Checked above and found in order, checked with the keys of the table, or only said.
            "const"
            | "enum"
            | "minimum"
            | "maximum"
            | "properties"
            | "additionalProperties"
            | "$schema"
            | "title"
            | "description"
            | "examples" => {}
            other => panic!("{other} is not a keyword that this knows"),
        }
    }
    inside(schema, value, place, found);
}

/// Checks the keys of a table.
fn inside(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let below = format!("{place}/{key}");
        match (schema["properties"].get(key), schema.get("additionalProperties")) {
            (Some(rule), _) => check(rule, value, &below, found),
            (None, Some(Value::Bool(false))) => found.push(format!("{place}: {key} is unknown")),
            (None, Some(rule)) if rule.is_object() => check(rule, value, &below, found),
            (None, _) => {}
        }
    }
}

fn of_kind(kind: &str, value: &Value, place: &str, found: &mut Vec<String>) {
    let so = match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        other => panic!("{other} is not a kind that this knows"),
    };
    if !so {
        found.push(format!("{place}: {value} is no {kind}"));
    }
}
