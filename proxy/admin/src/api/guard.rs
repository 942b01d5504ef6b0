//! Who may ask: nobody is authenticated over TCP, so it matters where a request comes from, and on whose behalf.
//!
//! A browser on this machine sends requests for any web page. It adds no header of its own to another site's
//! request without asking first, which nothing here answers (no CORS). But the page's name may be made to lead to
//! this machine (DNS rebinding), and then the browser thinks that page and gateway are one site: `Host` is the
//! page's name then, and neither `localhost` nor an address.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, ORIGIN};
use hyper::http::uri::Authority;

use crate::http::Asker;

/// Whoever sends it means it: no form and no simple request of a web page has it.
const INTENT: HeaderName = HeaderName::from_static("x-landbridge-admin");

/// Whether a request may change something.
///
/// # Errors
/// It may not, for this reason.
pub(super) fn may_change(asker: Asker, owner: u32, headers: &HeaderMap) -> Result<(), &'static str> {
    let address = match asker {
        Asker::Unix(Some(uid)) if uid == 0 || uid == owner => return Ok(()),
        Asker::Unix(_) => return Err("only root and the user of the gateway may do this"),
        Asker::Tcp(address) => address.ip(),
    };
    if !is_loopback(address) {
        return Err("expected a client on this machine");
    }
    if headers.get(INTENT).is_none_or(|value| value != "1") {
        return Err("expected the header \"x-landbridge-admin: 1\"");
    }
    if !host(headers).is_some_and(Host::is_loopback) {
        return Err("expected a Host that is localhost or a loopback address");
    }
    if has_foreign_origin(headers) {
        return Err("expected no Origin but the gateway's own");
    }
    Ok(())
}

/// Whether a request may read: not for a web page whose name was made to lead here.
///
/// # Errors
/// It may not, for this reason.
pub(crate) fn may_read(asker: Asker, headers: &HeaderMap) -> Result<(), &'static str> {
    if matches!(asker, Asker::Unix(_)) {
        return Ok(());
    }
    if headers.contains_key(HOST) && host(headers).is_none() {
        return Err("expected a Host that is localhost or an address");
    }
    if has_foreign_origin(headers) {
        return Err("expected no Origin but the gateway's own");
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    Localhost,
    Address(IpAddr),
}

impl Host {
    fn is_loopback(self) -> bool {
        match self {
            Self::Localhost => true,
            Self::Address(address) => is_loopback(address),
        }
    }
}

/// The one `Host`, unless it is a name that somebody else may have made up.
fn host(headers: &HeaderMap) -> Option<Host> {
    let mut all = headers.get_all(HOST).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let text = only.to_str().ok().filter(|text| !text.contains('@'))?;
    let authority: Authority = text.parse().ok()?;
    let name = authority.host();
    if name.eq_ignore_ascii_case("localhost") {
        return Some(Host::Localhost);
    }
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    bare.parse().ok().map(Host::Address)
}

/// Whether a page of another site is behind the request. Where there is a page, browsers name its site.
fn has_foreign_origin(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = |origin: &str| {
        origin.strip_prefix("http://").is_some_and(|rest| !host.is_empty() && rest.eq_ignore_ascii_case(host))
    };
    headers.get_all(ORIGIN).iter().any(|origin| !origin.to_str().is_ok_and(own))
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const OWNER: u32 = 1000;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let mut map = HeaderMap::new();
        for (name, value) in pairs.iter().copied().map(pair) {
            map.append(name, value);
        }
        map
    }

    fn from(address: &str) -> Asker {
        Asker::Tcp(address.parse().unwrap())
    }

    #[test]
    fn a_change_is_let_in_from_this_machine_with_intent_and_no_page_behind_it() {
        let intent = ("x-landbridge-admin", "1");
        for host in [
            "localhost",
            "LOCALHOST:15000",
            "127.0.0.1:15000",
            "127.9.9.9",
            "[::1]:15000",
            "[::ffff:127.0.0.1]",
        ] {
            let map = headers(&[intent, ("host", host)]);
            assert_eq!(may_change(from("127.0.0.1:5"), OWNER, &map), Ok(()), "{host}");
            assert_eq!(may_change(from("[::ffff:127.0.0.1]:5"), OWNER, &map), Ok(()), "{host}");
            assert!(may_change(from("10.0.0.1:5"), OWNER, &map).is_err(), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:15000",
            "",
            "a@localhost",
            "0.0.0.0",
        ] {
            let map = headers(&[intent, ("host", host)]);
            assert!(may_change(from("127.0.0.1:5"), OWNER, &map).is_err(), "{host}");
        }
        let without: [&[(&str, &str)]; 4] = [
            &[("host", "localhost")],
            &[("host", "localhost"), ("x-landbridge-admin", "true")],
            &[intent],
            &[intent, ("host", "localhost"), ("host", "localhost")],
        ];
        for pairs in without {
            assert!(may_change(from("127.0.0.1:5"), OWNER, &headers(pairs)).is_err(), "{pairs:?}");
        }
        let own = [intent, ("host", "localhost:15000"), ("origin", "http://localhost:15000")];
        assert_eq!(may_change(from("127.0.0.1:5"), OWNER, &headers(&own)), Ok(()));
        for origin in ["http://evil.example", "null", "https://localhost:15000", "http://localhost", ""] {
            let map = headers(&[intent, ("host", "localhost:15000"), ("origin", origin)]);
            assert!(may_change(from("127.0.0.1:5"), OWNER, &map).is_err(), "{origin}");
        }
    }

    #[test]
    fn through_the_unix_socket_root_and_the_owner_may_and_nobody_else() {
        let none = HeaderMap::new();
        for (uid, may) in [(Some(0), true), (Some(OWNER), true), (Some(1001), false), (None, false)] {
            assert_eq!(may_change(Asker::Unix(uid), OWNER, &none).is_ok(), may, "{uid:?}");
            assert_eq!(may_read(Asker::Unix(uid), &none), Ok(()));
        }
    }

    #[test]
    fn a_page_whose_name_leads_here_reads_nothing() {
        let asker = from("127.0.0.1:5");
        for host in ["localhost:15000", "127.0.0.1", "10.0.0.1:15000", "[::1]"] {
            assert_eq!(may_read(asker, &headers(&[("host", host)])), Ok(()), "{host}");
        }
        assert_eq!(may_read(asker, &HeaderMap::new()), Ok(()));
        assert!(may_read(asker, &headers(&[("host", "evil.example")])).is_err());
        assert!(
            may_read(asker, &headers(&[("host", "localhost"), ("origin", "http://evil.example")])).is_err()
        );
    }
}
