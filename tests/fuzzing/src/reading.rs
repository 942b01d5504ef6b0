//! What a leaf and a revocation list say, read a second time and by the shortest way.
//!
//! Each function is asked about what the code under test accepted. `None` means that this reading finds no
//! sense in it, which is then a difference worth a look.

use landbridge_certs::Role;
use rustls_pki_types::UnixTime;

use crate::der::{Element, elements, first};

/// What decides over a leaf.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leaf<'a> {
    pub(crate) serial: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) uris: Vec<&'a [u8]>,
    pub(crate) ca: bool,
    /// The first byte of the key usage; `None` without one.
    pub(crate) usage: Option<u8>,
    /// The purposes, each as the content of its OBJECT IDENTIFIER; `None` for all.
    pub(crate) purposes: Option<Vec<&'a [u8]>>,
    not_before: u64,
    not_after: u64,
}

const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// `[6] IA5String`, the URI of a GeneralName (RFC 5280 section 4.2.1.6).
const URI: u8 = 0x86;

impl<'a> Leaf<'a> {
    /// Reads a TBSCertificate (RFC 5280 section 4.1).
    pub(crate) fn read(tbs: &'a [u8]) -> Option<Self> {
        let mut fields = elements(first(tbs)?.content).peekable();
        fields.next_if(|field| field.tag == 0xa0);
        let serial = fields.next()?.content;
        fields.next()?;
        let issuer = fields.next()?.content;
        let mut validity = elements(fields.next()?.content);
        let (not_before, not_after) = (instant(validity.next()?)?, instant(validity.next()?)?);
        let mut leaf = Self {
            serial,
            issuer,
            uris: Vec::new(),
            ca: false,
            usage: None,
            purposes: None,
            not_before,
            not_after,
        };
        let extensions = fields.find(|field| field.tag == 0xa3)?;
        for extension in elements(first(extensions.content)?.content) {
            let mut parts = elements(extension.content);
            let kind = parts.next()?.content;
            let value = first(parts.last()?.content);
            leaf.note(kind, value)?;
        }
        Some(leaf)
    }

    fn note(&mut self, kind: &[u8], value: Option<Element<'a>>) -> Option<()> {
        match kind {
            SUBJECT_ALT_NAME => {
                let names = elements(value?.content).filter(|name| name.tag == URI);
                self.uris.extend(names.map(|name| name.content));
            }
            BASIC_CONSTRAINTS => {
                self.ca = first(value?.content).is_some_and(|ca| ca.tag == 1 && ca.content != [0]);
            }
            KEY_USAGE => self.usage = value?.content.get(1).copied(),
            EXTENDED_KEY_USAGE => {
                self.purposes = Some(elements(value?.content).map(|purpose| purpose.content).collect());
            }
            _ => {}
        }
        Some(())
    }

    /// Whether the leaf may be presented so, at that time.
    pub(crate) fn serves(&self, role: Role, time: UnixTime) -> bool {
        let wanted = match role {
            Role::Client => CLIENT_AUTH,
            Role::Server => SERVER_AUTH,
        };
        let purpose = self.purposes.as_ref().is_none_or(|purposes| purposes.contains(&wanted));
        // digitalSignature, and neither keyCertSign nor cRLSign (RFC 5280 section 4.2.1.3).
        let usage = self.usage.is_some_and(|bits| bits & 0b1000_0110 == 0b1000_0000);
        purpose && usage && !self.ca && (self.not_before..=self.not_after).contains(&time.as_secs())
    }
}

/// What decides in a revocation list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct List<'a> {
    pub(crate) issuer: &'a [u8],
    pub(crate) next_update: u64,
    pub(crate) revoked: Vec<&'a [u8]>,
}

impl<'a> List<'a> {
    /// Reads a TBSCertList (RFC 5280 section 5.1).
    pub(crate) fn read(tbs: &'a [u8]) -> Option<Self> {
        let mut fields = elements(first(tbs)?.content).peekable();
        fields.next_if(|field| field.tag == 2);
        fields.next()?;
        let issuer = fields.next()?.content;
        fields.next()?;
        let next_update = instant(fields.next()?)?;
        let entries = fields.next_if(|field| field.tag == 0x30);
        let entries = elements(entries.map_or(&[], |field| field.content));
        let revoked = entries.filter_map(|entry| Some(first(entry.content)?.content)).collect();
        Some(Self { issuer, next_update, revoked })
    }
}

/// Seconds since 1970 of a UTCTime or GeneralizedTime (RFC 5280 section 4.1.2.5); 0 for what is before.
fn instant(time: Element<'_>) -> Option<u64> {
    let text = str::from_utf8(time.content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match time.tag {
        0x17 => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        0x18 => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let days = days_before(year, two(0)?) + two(2)? - 1;
    let seconds = days * 86_400 + two(4)? * 3600 + two(6)? * 60 + two(8)?;
    Some(u64::try_from(seconds).unwrap_or(0))
}

/// Days from 1970 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = |year: i64| year / 4 - year / 100 + year / 400;
    let in_year = usize::try_from(month - 1).ok().and_then(|month| BEFORE_MONTH.get(month)).unwrap_or(&0);
    // A leap day counts from March on.
    let leaps = leap(if month > 2 { year } else { year - 1 }) - leap(1969);
    (year - 1970) * 365 + leaps + in_year
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::signed_part;
    use crate::world::{REVOKED, days, now, world};

    #[test]
    fn a_leaf_is_read_as_it_was_written() {
        let leaf = Leaf::read(signed_part(&world().leaves[0].der).unwrap()).unwrap();
        assert_eq!(leaf.uris, [b"spiffe://cluster.local/ns/default/sa/sleep"]);
        assert_eq!((leaf.serial, leaf.ca, leaf.usage), (&[7][..], false, Some(0x80)));
        assert_eq!(leaf.purposes.as_deref(), Some(&[CLIENT_AUTH, SERVER_AUTH][..]));
        assert_eq!((leaf.not_before, leaf.not_after), (days(-2).as_secs(), days(2).as_secs()));
        assert!(leaf.serves(Role::Client, now()) && leaf.serves(Role::Server, now()));
        assert!(!leaf.serves(Role::Client, days(3)));
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let list = List::read(signed_part(&world().crl).unwrap()).unwrap();
        assert_eq!((list.revoked, list.next_update), (vec![&[REVOKED][..]], days(4).as_secs()));
        let leaf = Leaf::read(signed_part(&world().leaves[1].der).unwrap()).unwrap();
        assert_eq!(list.issuer, leaf.issuer);
        assert_eq!(List::read(signed_part(&world().foreign_crl).unwrap()).unwrap().revoked.len(), 0);
    }

    #[test]
    fn instants_are_those_of_the_calendar() {
        let read = |tag, content: &[u8]| instant(Element { tag, content, whole: &[] });
        assert_eq!(read(0x17, b"700101000000Z"), Some(0));
        assert_eq!(read(0x17, b"000229235959Z"), Some(951_868_799));
        assert_eq!(read(0x17, b"000301000000Z"), Some(951_868_800));
        assert_eq!(read(0x18, b"20300101000000Z"), Some(now().as_secs()));
        assert_eq!(read(0x18, b"21000301000000Z"), Some(4_107_542_400));
        assert_eq!(read(0x17, b"20300101000000Z"), None);
    }
}
