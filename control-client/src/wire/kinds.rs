//! What is sorted by type and may name types that aren't known here: those are passed over.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Kind, Refused};

/// A map by type, without the types that aren't known.
pub(super) fn map<'de, D, T>(deserializer: D) -> Result<BTreeMap<Kind, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    /// A type, or a word for none.
    #[derive(serde::Deserialize, PartialEq, Eq, PartialOrd, Ord)]
    #[serde(untagged)]
    enum Known {
        Yes(Kind),
        No(String),
    }

    let all = BTreeMap::<Known, T>::deserialize(deserializer)?;
    Ok(all
        .into_iter()
        .filter_map(|(kind, of)| if let Known::Yes(kind) = kind { Some((kind, of)) } else { None })
        .collect())
}

/// Refusals, without those of types that aren't known.
pub(super) fn refused<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Refused>, D::Error> {
    #[derive(serde::Deserialize)]
    struct Kinded<'a> {
        #[serde(rename = "type")]
        kind: std::borrow::Cow<'a, str>,
    }

    let all = Vec::<Box<RawValue>>::deserialize(deserializer)?;
    let mut known = Vec::with_capacity(all.len());
    for one in all {
        let Kinded { kind } = serde_json::from_str(one.get()).map_err(serde::de::Error::custom)?;
        if Kind::ALL.iter().any(|known| known.as_str() == kind) {
            known.push(serde_json::from_str(one.get()).map_err(serde::de::Error::custom)?);
        }
    }
    Ok(known)
}
