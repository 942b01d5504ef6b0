//! In JSON, for programs.

use std::path::Path;

use landbridge_certs::inspect::{Certificate, Document, InspectError, Issuer, Key, List, Standing, issuers};
use rustls_pki_types::UnixTime;
use serde_json::{Value, json};

use super::super::tell::date;
use super::{exposed, owner_of, signer_of};

/// `{"files": [...], "errors": [...]}`; times are RFC 3339, places count from 1.
pub(super) fn report(documents: &[&Document], errors: &[(&Path, &InspectError)], now: UnixTime) -> Value {
    let files: Vec<Value> = documents.iter().map(|document| file(document, documents, now)).collect();
    let errors: Vec<Value> = errors
        .iter()
        .map(|(path, error)| json!({ "file": path.display().to_string(), "message": error.to_string() }))
        .collect();
    json!({ "files": files, "errors": errors })
}

fn file(document: &Document, all: &[&Document], now: UnixTime) -> Value {
    let issuers = issuers(&document.certificates);
    let certificates: Vec<Value> = document
        .certificates
        .iter()
        .zip(issuers)
        .map(|(certificate, issuer)| {
            let signer = signer_of(certificate, document, all).filter(|_| issuer == Issuer::Elsewhere);
            let issued_by = match signer {
                Some((other, place)) => {
                    json!({ "relation": "in_other_file", "file": other.file, "certificate": place + 1 })
                }
                None => relation(issuer),
            };
            self::certificate(certificate, &issued_by, now)
        })
        .collect();
    let keys: Vec<Value> = document.keys.iter().map(|key| self::key(key, document, all)).collect();
    let lists: Vec<Value> = document.lists.iter().map(|list| self::list(list, now)).collect();
    json!({
        "file": document.file,
        "kind": if document.json { "spiffe-bundle" } else { "pem" },
        "certificates": certificates,
        "private_keys": keys,
        "revocation_lists": lists,
    })
}

fn certificate(certificate: &Certificate, issued_by: &Value, now: UnixTime) -> Value {
    let rules: Vec<Value> = certificate
        .rules
        .iter()
        .map(|rule| {
            let standing = match rule.standing {
                Standing::Kept => "ok",
                Standing::Partly => "partly",
                Standing::Broken => "broken",
            };
            json!({ "rule": rule.name, "standing": standing, "found": rule.found })
        })
        .collect();
    let validity = &certificate.validity;
    json!({
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "issued_by": issued_by,
        "serial": certificate.serial,
        "sha256": certificate.sha256,
        "ca": certificate.ca,
        "path_length": certificate.path_length,
        "uris": certificate.uris,
        "dns": certificate.dns,
        "ips": certificate.addresses,
        "not_before": date(validity.not_before),
        "not_after": date(validity.not_after),
        "seconds_left": left(now, validity.not_after),
        "key": certificate.kind,
        "key_usage": certificate.usages,
        "extended_key_usage": certificate.purposes,
        "rules": rules,
    })
}

fn relation(issuer: Issuer) -> Value {
    let (relation, place) = match issuer {
        Issuer::Itself => ("itself", None),
        Issuer::At(place) => ("in_file", Some(place + 1)),
        Issuer::Namesake(place) => ("did_not_sign", Some(place + 1)),
        Issuer::Elsewhere => ("not_in_file", None),
    };
    json!({ "relation": relation, "certificate": place })
}

fn key(key: &Key, own: &Document, all: &[&Document]) -> Value {
    let belongs_to = owner_of(key, own, all)
        .map(|(document, place)| json!({ "file": document.file, "certificate": place + 1 }));
    json!({ "kind": key.kind, "belongs_to": belongs_to, "exposed": exposed(&own.file) })
}

fn list(list: &List, now: UnixTime) -> Value {
    let revoked: Vec<Value> = list
        .revoked
        .iter()
        .map(|revoked| {
            json!({ "serial": revoked.serial, "since": date(revoked.since), "reason": revoked.reason })
        })
        .collect();
    json!({
        "issuer": list.issuer,
        "number": list.number,
        "this_update": date(list.this_update),
        "next_update": list.next_update.map(date),
        "seconds_left": list.next_update.map(|end| left(now, end)),
        "revoked": revoked,
    })
}

/// Negative once it is over.
fn left(now: UnixTime, end: UnixTime) -> i64 {
    let seconds = |time: UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    seconds(end).saturating_sub(seconds(now))
}
