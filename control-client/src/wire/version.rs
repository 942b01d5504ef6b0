//! Versions of resources, and digests over what somebody holds.
//!
//! A version is a hash of the spec's bytes, so it is the same after a restart and on every replica of a server. Digests
//! are sums (exclusive or) of hashes: a change costs the same however much is held, and order doesn't matter.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::resource::Kind;

/// Into how many buckets the names of a type are divided.
pub const BUCKETS: usize = 256;

/// The version of a resource: the first 128 bits of the SHA-256 of its spec's bytes, 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(u128);

/// What is no version or digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version or digest is 32 hexadecimal digits in lower case")]
pub struct VersionError;

impl Version {
    /// The version of a spec.
    pub fn of(spec: &[u8]) -> Self {
        Self(hash(&[spec]))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        hexadecimal(text).map(Self)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

/// A digest over everything that is held or in force: equal digests, equal configurations.
///
/// The exclusive or, over all resources, of the first 128 bits of SHA-256(type, 0, name, 0, version).
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(u128);

impl Digest {
    /// Adds a resource, or takes it away if it was added before.
    pub fn toggle(&mut self, kind: Kind, name: &str, version: Version) {
        self.0 ^= resource_hash(kind, name, version);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Digest {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        hexadecimal(&text).map(Self)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// In which bucket a name is: the first byte of SHA-256(type, 0, name).
pub fn bucket(kind: Kind, name: &str) -> u8 {
    hash(&[kind.as_str().as_bytes(), &[0], name.as_bytes()]).to_be_bytes()[0]
}

/// The digests of one type's buckets, 48 bits each, written in base 64 (RFC 4648 §5, no padding): 2048 characters.
///
/// A bucket's is the exclusive or of the first 48 bits of SHA-256(type, 0, name, 0, version) of its resources.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketDigests(Box<[[u8; WIDTH]; BUCKETS]>);

/// Bytes of a bucket's digest.
const WIDTH: usize = 6;

impl Default for BucketDigests {
    fn default() -> Self {
        Self(Box::new([[0; WIDTH]; BUCKETS]))
    }
}

impl BucketDigests {
    /// Adds a resource, or takes it away if it was added before.
    pub fn toggle(&mut self, kind: Kind, name: &str, version: Version) {
        if let Some(digest) = self.0.get_mut(usize::from(bucket(kind, name))) {
            let hash = resource_hash(kind, name, version).to_be_bytes();
            digest.iter_mut().zip(hash).for_each(|(byte, other)| *byte ^= other);
        }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|digest| *digest == [0; WIDTH])
    }

    /// The buckets that differ.
    pub fn differing(&self, other: &Self) -> Vec<u8> {
        let pairs = (0..=u8::MAX).zip(self.0.iter().zip(other.0.iter()));
        pairs.filter(|(_, (one, other))| one != other).map(|(bucket, _)| bucket).collect()
    }
}

impl fmt::Debug for BucketDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filled = self.0.iter().filter(|digest| **digest != [0; WIDTH]).count();
        write!(f, "BucketDigests({filled} of {BUCKETS})")
    }
}

impl From<BucketDigests> for String {
    fn from(digests: BucketDigests) -> Self {
        URL_SAFE_NO_PAD.encode(digests.0.as_flattened())
    }
}

impl TryFrom<String> for BucketDigests {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut digests = Self::default();
        let whole = |count| count == BUCKETS * WIDTH;
        match URL_SAFE_NO_PAD.decode_slice(text, digests.0.as_flattened_mut()) {
            Ok(count) if whole(count) => Ok(digests),
            _ => Err("the digests of a type are 2048 characters of base 64 (RFC 4648 §5), 8 for each bucket"),
        }
    }
}

impl Serialize for BucketDigests {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from(self.clone()))
    }
}

impl<'de> Deserialize<'de> for BucketDigests {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

fn resource_hash(kind: Kind, name: &str, Version(version): Version) -> u128 {
    hash(&[kind.as_str().as_bytes(), &[0], name.as_bytes(), &[0], &version.to_be_bytes()])
}

fn hash(parts: &[&[u8]]) -> u128 {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let digest = context.finish();
    digest.as_ref().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn hexadecimal(text: &str) -> Result<u128, VersionError> {
    let digits = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits { u128::from_str_radix(text, 16).map_err(|_| VersionError) } else { Err(VersionError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_beginning_of_the_sha_256_of_the_bytes() {
        // `printf '{}' | sha256sum`
        assert_eq!(Version::of(b"{}").to_string(), "44136fa355b3678a1146ad16f7e8649e");
        assert_eq!("44136fa355b3678a1146ad16f7e8649e".parse(), Ok(Version::of(b"{}")));
        for wrong in ["", "44136FA355B3678A1146AD16F7E8649E", "+4136fa355b3678a1146ad16f7e8649e", "44"] {
            assert_eq!(wrong.parse::<Version>(), Err(VersionError), "{wrong:?}");
        }
    }

    #[test]
    fn a_digest_does_not_depend_on_order_and_forgets_what_is_taken_away() {
        let (a, b) = (Version::of(b"a"), Version::of(b"b"));
        let mut one = Digest::default();
        one.toggle(Kind::Service, "a", a);
        one.toggle(Kind::Policy, "b", b);
        let mut other = Digest::default();
        other.toggle(Kind::Policy, "b", b);
        other.toggle(Kind::Service, "x", a);
        other.toggle(Kind::Service, "a", a);
        assert_ne!(one, other);
        other.toggle(Kind::Service, "x", a);
        assert_eq!(one, other);
    }

    #[test]
    fn bucket_digests_name_the_buckets_that_differ_and_survive_the_wire() {
        let mut one = BucketDigests::default();
        for number in 0..1000 {
            one.toggle(Kind::Service, &format!("s{number}"), Version::of(b"{}"));
        }
        let text = String::from(one.clone());
        assert_eq!(text.len(), 2048);
        let mut other = BucketDigests::try_from(text).unwrap();
        assert_eq!(one.differing(&other), Vec::<u8>::new());
        other.toggle(Kind::Service, "s7", Version::of(b"{}"));
        assert_eq!(one.differing(&other), [bucket(Kind::Service, "s7")]);
        assert!(BucketDigests::try_from("A".repeat(2047)).is_err());
        assert!(BucketDigests::try_from("!".repeat(2048)).is_err());
    }
}
