//! A resource as it is kept: its line, encoded once for everybody, and who may be sent it.

use std::collections::BTreeMap;
use std::fmt;

use hyper::body::Bytes;
use landbridge_control_client::wire::{
    Change, Kind, LONGEST_LINE, Name, Resource, ToClient, Version, bucket, endpoints_spec,
};
use landbridge_core::service::Labels;
use serde_json::Value;
use serde_json::value::RawValue;

/// What a resource is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its type.
    pub kind: Kind,
    /// Its name among those of its type.
    pub name: Name,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// By what it is decided which nodes see a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// By a service's namespace and labels: the service itself, its endpoints, its policies.
    Service {
        /// The namespace; may be empty.
        namespace: String,
        /// The labels.
        labels: Labels,
    },
    /// By the resource's own name: a trust bundle, a peer.
    Name,
}

/// One version of a resource.
#[derive(Debug)]
pub struct Entry {
    key: Key,
    version: Version,
    bucket: u8,
    audience: Audience,
    line: Bytes,
    /// Of `endpoints`: each as it is written, by its address.
    endpoints: Option<BTreeMap<String, String>>,
}

/// What can't be a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Its line would be longer than a line may be.
    #[error("{key} takes {bytes} bytes as JSON, and a resource may take {LONGEST_LINE}; divide it")]
    TooLong {
        /// Which.
        key: Key,
        /// How many bytes it takes.
        bytes: usize,
    },
    /// The spec of endpoints isn't `{"endpoints": […]}`, or an address is missing or there twice.
    #[error("{key}: {expected}")]
    Endpoints {
        /// Which.
        key: Key,
        /// What was expected.
        expected: String,
    },
}

impl Entry {
    /// A resource of this spec.
    ///
    /// # Errors
    /// It is too long for a line, or endpoints that aren't such.
    pub fn new(key: Key, spec: &Value, audience: Audience) -> Result<Self, EntryError> {
        let endpoints = (key.kind == Kind::Endpoints).then(|| by_address(&key, spec)).transpose()?;
        let text = match &endpoints {
            Some(listed) => endpoints_spec(listed.iter().map(|(address, text)| (&**address, &**text))),
            None => spec.to_string(),
        };
        let version = Version::of(text.as_bytes());
        let Ok(spec) = RawValue::from_string(text) else {
            return Err(EntryError::Endpoints { key, expected: "expected JSON".to_owned() });
        };
        let line = line(&key, Change::Set { version, spec });
        if line.len() > LONGEST_LINE {
            return Err(EntryError::TooLong { key, bytes: line.len() });
        }
        Ok(Self { bucket: bucket(key.kind, key.name.as_str()), key, version, audience, line, endpoints })
    }

    /// What it is found by.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Who may be sent it.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The line that says all of it, with its newline.
    pub(crate) fn line(&self) -> &Bytes {
        &self.line
    }

    pub(crate) fn bucket(&self) -> u8 {
        self.bucket
    }

    /// The line that makes it of what `base` was, where both are endpoints and that is shorter.
    pub(crate) fn delta(&self, base: &Self) -> Option<Bytes> {
        let (now, then) = (self.endpoints.as_ref()?, base.endpoints.as_ref()?);
        let changed = now.iter().filter(|(address, text)| then.get(*address) != Some(*text));
        let set = changed.filter_map(|(_, text)| RawValue::from_string(text.clone()).ok()).collect();
        let remove = then.keys().filter(|address| !now.contains_key(*address)).cloned().collect();
        let change = Change::Delta { base: base.version, version: self.version, set, remove };
        let line = line(&self.key, change);
        (line.len() < self.line.len()).then_some(line)
    }
}

/// The line that says that there is no such resource.
pub(crate) fn removal(key: &Key) -> Bytes {
    line(key, Change::Removed)
}

fn line(key: &Key, change: Change) -> Bytes {
    ToClient::Resource(Resource { kind: key.kind, name: key.name.clone(), change }).to_line().into()
}

fn by_address(key: &Key, spec: &Value) -> Result<BTreeMap<String, String>, EntryError> {
    let wrong = |expected: String| EntryError::Endpoints { key: key.clone(), expected };
    let listed = spec.get("endpoints").and_then(Value::as_array);
    let listed = listed.ok_or_else(|| wrong("expected {\"endpoints\": […]}".to_owned()))?;
    let mut found = BTreeMap::new();
    for (index, endpoint) in listed.iter().enumerate() {
        let address = endpoint.get("address").and_then(Value::as_str);
        let address = address.ok_or_else(|| wrong(format!("endpoints[{index}]: expected an address")))?;
        if found.insert(address.to_owned(), endpoint.to_string()).is_some() {
            return Err(wrong(format!("endpoints[{index}]: {address} is listed already")));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoints(list: &Value) -> Result<Entry, EntryError> {
        let key = Key { kind: Kind::Endpoints, name: Name::parse("a:80").unwrap() };
        Entry::new(key, &json!({ "endpoints": list }), Audience::Name)
    }

    #[test]
    fn endpoints_have_one_spelling_whatever_their_order() {
        let one = endpoints(&json!([{"address": "b:1", "weight": 2}, {"address": "a:1"}])).unwrap();
        let other = endpoints(&json!([{"address": "a:1"}, {"weight": 2, "address": "b:1"}])).unwrap();
        assert_eq!(one.version(), other.version());
        assert!(endpoints(&json!([{"address": "a:1"}, {"address": "a:1"}])).is_err());
        assert!(endpoints(&json!([{"weight": 1}])).is_err());
    }

    #[test]
    fn a_delta_is_sent_only_where_it_is_shorter() {
        let many: Vec<Value> = (0..50).map(|n| json!({"address": format!("10.0.0.{n}:80")})).collect();
        let before = endpoints(&json!(many)).unwrap();
        let after = endpoints(&json!(many[1..])).unwrap();
        let line = after.delta(&before).unwrap();
        let text = std::str::from_utf8(&line).unwrap();
        assert!(text.contains(r#""remove":["10.0.0.0:80"]"#) && text.contains(r#""set":[]"#), "{text}");
        let other: Vec<Value> = (0..50).map(|n| json!({"address": format!("10.0.1.{n}:80")})).collect();
        assert!(endpoints(&json!(other)).unwrap().delta(&before).is_none());
    }

    #[test]
    fn what_does_not_fit_into_a_line_is_refused() {
        let key = Key { kind: Kind::Service, name: Name::parse("a:80").unwrap() };
        let error = Entry::new(key, &json!({ "sni": "a".repeat(LONGEST_LINE) }), Audience::Name).unwrap_err();
        assert!(matches!(error, EntryError::TooLong { .. }), "{error}");
    }
}
