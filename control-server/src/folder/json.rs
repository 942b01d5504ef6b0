//! `endpoints/*.json`: the endpoints of one service, as a program writes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use landbridge_control_client::wire::{Kind, Name};
use landbridge_core::config::fleet;
use landbridge_core::config::{Problem, Severity, Source};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::read::{Found, More, Read, at};

/// Reads `{"service": NAME, "endpoints": […]}`; the elements keep the rules of `[[service]] endpoints`.
pub(super) fn endpoints(text: &str, file: &str) -> Read {
    match checked(text, file) {
        Ok(found) => Read { found: vec![Arc::new(found)], ..Read::default() },
        Err(problems) => Read { problems, ..Read::default() },
    }
}

fn checked(text: &str, file: &str) -> Result<Found, Vec<Problem>> {
    let parts: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| {
        vec![Problem {
            column: error.column().max(1),
            ..at(file, error.line().max(1), String::new(), error.to_string())
        }]
    })?;
    let line = |raw: &RawValue| line_at(text, raw);
    let mut problems = Vec::new();
    for (key, raw) in &parts {
        if !["service", "endpoints"].contains(&key.as_str()) {
            let message = "there is no such key; the keys here are: service, endpoints".to_owned();
            problems.push(at(file, line(raw), key.clone(), message));
        }
    }
    let mut part = |key: &str, expected: &str| {
        let raw = parts.get(key).copied();
        if raw.is_none() {
            problems.push(at(file, 1, key.to_owned(), format!("missing: expected {expected}")));
        }
        raw
    };
    let service =
        part("service", "the name of a service, such as \"httpbin.default.svc.cluster.local:8000\"");
    let listed = part("endpoints", "a list of endpoints");
    let (Some(service), Some(listed)) = (service, listed) else { return Err(problems) };
    let name = serde_json::from_str::<Name>(service.get());
    let elements = serde_json::from_str::<Vec<&RawValue>>(listed.get());
    match (name, elements) {
        (Ok(name), Ok(elements)) => {
            problems.extend(judged(text, file, &elements));
            if problems.is_empty() {
                let list: Vec<Value> =
                    elements.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).collect();
                let spec = json!({ "endpoints": list });
                return Ok(Found {
                    kind: Kind::Endpoints,
                    name,
                    spec,
                    more: More::Nothing,
                    line: line(service),
                });
            }
        }
        (name, elements) => {
            let name = name.err().map(|error| (service, "service", error));
            for (raw, key, error) in
                name.into_iter().chain(elements.err().map(|error| (listed, "endpoints", error)))
            {
                problems.push(at(file, line(raw), key.to_owned(), error.to_string()));
            }
        }
    }
    Err(problems)
}

/// What the validator of the gateway's file says of endpoints, told by the lines of this one.
fn judged(text: &str, file: &str, elements: &[&RawValue]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut list = Vec::new();
    for (index, raw) in elements.iter().enumerate() {
        let value = serde_json::from_str::<toml::Value>(raw.get());
        match value {
            Ok(value) => list.push(value),
            Err(error) => {
                let key = format!("endpoints[{index}]");
                problems.push(at(file, line_at(text, raw), key, error.to_string()));
            }
        }
    }
    if !problems.is_empty() || list.is_empty() {
        return problems;
    }
    // As a service that anything could be, with these endpoints.
    let mut service = toml::Table::new();
    service.insert("host".to_owned(), "endpoints".into());
    service.insert("port".to_owned(), 1.into());
    service.insert("mode".to_owned(), "passthrough".into());
    service.insert("endpoints".to_owned(), list.into());
    let document = toml::Table::from_iter([("service".to_owned(), toml::Value::Array(vec![service.into()]))]);
    let document = document.to_string();
    let source = Source { name: file.to_owned(), dir: std::path::PathBuf::new() };
    for problem in fleet::services(&document, &source).problems {
        if problem.severity == Severity::Warning {
            continue;
        }
        let key = problem.key.trim_start_matches("service[0].").to_owned();
        let index = key.strip_prefix("endpoints[").and_then(|rest| rest.split(']').next()?.parse().ok());
        let line = index.and_then(|index: usize| elements.get(index)).map_or(1, |raw| line_at(text, raw));
        problems.push(Problem { key, line, column: 1, service: None, ..problem });
    }
    problems
}

/// The line of `text` in which a part of it begins.
fn line_at(text: &str, part: &RawValue) -> usize {
    let offset = (part.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
