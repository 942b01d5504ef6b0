//! `landbridge config`, `completions` and `man`: what they print can be used as it is.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::LANDBRIDGE;

mod conforms;

use conforms::problems;

/// The reference of the file.
const REFERENCE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md"));
const SAMPLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../core/src/config/tests/sample.toml"));
const EVERY_KEY: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../core/src/config/tests/every-key.toml"));

fn printed(arguments: &[&str]) -> String {
    let output = Command::new(LANDBRIDGE).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&printed(&["config", "schema"])).unwrap()
}

fn document(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

/// The default file with its examples used.
fn uncommented(default: &str) -> String {
    let prose = |line: &str| line.starts_with("# ") && !line.starts_with("#  ");
    let line = |line: &str| if prose(line) { String::new() } else { line.replacen('#', "", 1) };
    default
        .lines()
        .map(|text| if text.starts_with('#') { line(text) } else { text.to_owned() } + "\n")
        .collect()
}

#[test]
fn the_default_file_and_the_schema_agree_with_every_documented_file() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let default = printed(&["config", "default"]);
    let (_, rest) = REFERENCE.split_once("```toml\n").unwrap();
    let documented = rest.split_once("```").unwrap().0;
    for text in [&default, &uncommented(&default), SAMPLE, EVERY_KEY, documented] {
        assert_eq!(problems(&schema, &document(text)), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_schema_refuses_what_the_gateway_refuses_by_its_kind() {
    let schema = schema();
    let cases = [
        ("[listener]\nadress = '127.0.0.1:0'", "/listener: adress is unknown"),
        ("colour = 'red'", ": colour is unknown"),
        ("[[trust]]\nname = 'a'\nbundle = 'b'", "/trust/0: domain is missing"),
        ("[[service]]\nport = 65536", "/service/0/port: 65536 is more than 65535"),
        ("[[service]]\nport = 'http'", "/service/0/port: \"http\" is no integer"),
        ("[[service]]\nallow = [{ from = 'a' }]", "/service/0/allow/0: is none of 2 kinds"),
        (
            "[[service]]\n[[service.subset]]\nname = 'a'\nlabels = {}\nallow = 5",
            "/service/0/subset/0/allow: 5 is no array",
        ),
        ("[[service]]\nmode = 'tunnel'", "/service/0/mode: is none of 2 kinds"),
        ("[limits]\nconnections = 'many'", "/limits/connections: is none of 2 kinds"),
        ("[log]\naccess_format = 'xml'", "/log/access_format: is none of 3 kinds"),
        ("[timeouts]\nidle = 5", "/timeouts/idle: 5 is no string"),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(&schema, &document(text)), [expected], "{text}");
    }
}

#[test]
fn every_key_is_described_and_none_mentions_what_is_not_toml() {
    let mut keys = BTreeSet::new();
    collect(&schema(), "", &mut |path, key| {
        assert!(key["description"].as_str().is_some_and(|text| !text.is_empty()), "{path}: {key}");
        keys.insert(path.to_owned());
    });
    assert!(keys.len() > 70, "{keys:?}");
    let text = printed(&["config", "schema"]);
    for word in ["null", "Raw", "$defs"] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn every_key_stands_in_the_default_file() {
    let default = printed(&["config", "default"]);
    let present = keys_of(&document(&uncommented(&default)));
    collect(&schema(), "", &mut |path, _| {
        let named = path.rsplit('.').next().unwrap();
        let path = &path.replacen("identities.", "identity.", 1);
        // A list of grants is described once, and what is no default of anything in prose.
        let as_in_allow =
            ["service.upstream_tls.", "service.subset.allow."].iter().any(|list| path.starts_with(list))
                || path == "service.allow.alias_of";
        assert!(present.contains(path) || (as_in_allow && default.contains(named)), "{path}: {present:?}");
    });
}

/// The keys that the reference has a row for, as in `service.endpoints.weight`.
fn documented() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut section = String::new();
    for line in REFERENCE.lines() {
        if let Some(title) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            section = title.trim_matches(['`', '[', ']']).to_owned();
        } else if line.starts_with("| key of an endpoint |") {
            "service.endpoints".clone_into(&mut section);
        } else if line.starts_with("| key of `[[service.subset]]` |") {
            "service.subset".clone_into(&mut section);
        } else if let Some((key, _)) = line.strip_prefix("| `").and_then(|rest| rest.split_once("` |")) {
            // A row of another table than one of keys has more than a key in its first cell.
            let plain = key.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'));
            if plain {
                keys.insert(if key.contains('.') { key.to_owned() } else { format!("{section}.{key}") });
            }
        }
    }
    keys
}

#[test]
fn the_reference_has_every_key_of_the_schema_and_no_other() {
    let mut keys = BTreeSet::new();
    collect(&schema(), "", &mut |path, key| {
        // A table's own keys have the rows; what is said of it in prose is at its heading.
        let table = key["properties"].is_object() || key["items"]["properties"].is_object();
        let alike = path.starts_with("identities.");
        let told_in_prose = ["service.allow.", "service.subset.allow.", "service.upstream_tls."]
            .iter()
            .any(|list| path.starts_with(list));
        let last = path.rsplit('.').next().unwrap();
        if told_in_prose || table || alike || key["additionalProperties"]["properties"].is_object() {
            assert!(REFERENCE.contains(last), "{path}");
        } else {
            keys.insert(path.to_owned());
        }
    });
    let mut documented = documented();
    // Tables with a row of their own in that of the service.
    for table in ["service.endpoints", "service.upstream_tls"] {
        assert!(documented.remove(table), "{table}: {documented:?}");
    }
    assert_eq!(keys, documented);
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("landbridge") && script.contains("explain"), "{shell}");
    }
    let output = Command::new(LANDBRIDGE).args(["completions", "csh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH landbridge 1") && page.contains("landbridge\\-explain(1)"), "{page}");
    let page = printed(&["man", "explain"]);
    assert!(page.contains(".TH landbridge-explain 1") && page.contains("Examples:"), "{page}");
    let output = Command::new(LANDBRIDGE).args(["man", "explane"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// Calls `visit` with every key below `schema`, by its path; a list's elements have the path of the list.
fn collect(schema: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        visit(&path, value);
        collect(value, &path, visit);
    }
    for inside in [&schema["items"], &schema["additionalProperties"]].into_iter().filter(|it| it.is_object())
    {
        collect(inside, path, visit);
    }
    for way in schema["anyOf"].as_array().into_iter().flatten() {
        collect(way, path, visit);
    }
}

/// The paths of all keys of a document, as [`collect`] has them for a schema.
fn keys_of(document: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, keys: &mut BTreeSet<String>) {
        for (key, value) in value.as_object().into_iter().flatten() {
            let below = match path {
                "" => key.clone(),
                // Names, not keys; what is inside is alike.
                "identities" => "identity".to_owned(),
                _ => format!("{path}.{key}"),
            };
            keys.insert(below.clone());
            walk(value, &below, keys);
        }
        for value in value.as_array().into_iter().flatten() {
            walk(value, path, keys);
        }
    }
    let mut keys = BTreeSet::new();
    walk(document, "", &mut keys);
    keys
}
