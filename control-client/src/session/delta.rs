//! What changed inside the endpoints of a service, applied to what they were.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::endpoints_spec;

/// The spec of endpoints after a change; `None` if one of the specs isn't one of endpoints.
///
/// Whether it is what the server meant is for its version to say.
pub(super) fn resolve(base: &str, set: &[Box<RawValue>], remove: &[String]) -> Option<String> {
    let base: Spec<'_> = serde_json::from_str(base).ok()?;
    let mut endpoints = BTreeMap::new();
    for object in base.endpoints.into_iter().chain(set.iter().map(AsRef::as_ref)) {
        let Addressed { address } = serde_json::from_str(object.get()).ok()?;
        endpoints.insert(address, object.get());
    }
    for address in remove {
        endpoints.remove(address.as_str());
    }
    Some(endpoints_spec(endpoints.iter().map(|(address, object)| (address.as_ref(), *object))))
}

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow)]
    endpoints: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Addressed<'a> {
    #[serde(borrow)]
    address: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(texts: &[&str]) -> Vec<Box<RawValue>> {
        texts.iter().map(|text| RawValue::from_string((*text).to_owned()).unwrap()).collect()
    }

    #[test]
    fn what_changed_is_sorted_in_and_the_rest_stays_as_it_is_spelled() {
        let base = r#"{"endpoints":[{"address":"10.0.0.1:80","weight":1.50},{ "address" : "10.0.0.3:80" }]}"#;
        let set = objects(&[r#"{"weight":2,"address":"10.0.0.2:80"}"#, r#"{"address":"10.0.0.3:80"}"#]);
        assert_eq!(
            resolve(base, &set, &[]).unwrap(),
            r#"{"endpoints":[{"address":"10.0.0.1:80","weight":1.50},{"weight":2,"address":"10.0.0.2:80"},{"address":"10.0.0.3:80"}]}"#
        );
        assert_eq!(
            resolve(base, &[], &["10.0.0.1:80".to_owned(), "absent".to_owned()]).unwrap(),
            r#"{"endpoints":[{ "address" : "10.0.0.3:80" }]}"#
        );
        let escaped = objects(&[r#"{"address":"10.0.0.\u0031:80"}"#]);
        assert_eq!(
            resolve(r#"{"endpoints":[{"address":"10.0.0.1:80"}]}"#, &escaped, &[]).unwrap(),
            r#"{"endpoints":[{"address":"10.0.0.\u0031:80"}]}"#
        );
    }

    #[test]
    fn what_are_no_endpoints_has_no_result() {
        let good = r#"{"endpoints":[]}"#;
        for base in ["{}", "[]", r#"{"endpoints":{}}"#, r#"{"endpoints":[7]}"#, r#"{"endpoints":[{}]}"#] {
            assert_eq!(resolve(base, &[], &[]), None, "{base}");
        }
        for set in ["7", "{}", r#"{"address":7}"#] {
            assert_eq!(resolve(good, &objects(&[set]), &[]), None, "{set}");
        }
    }
}
