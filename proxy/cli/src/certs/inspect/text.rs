//! In text, for people.

use std::fmt::Write as _;

use landbridge_certs::inspect::{Certificate, Document, Issuer, Key, List, Rule, Standing, issuers};
use rustls_pki_types::UnixTime;

use super::super::tell::{date, plain, remaining, span};
use super::{exposed, owner_of, signer_of};

/// How many revoked certificates of a list are shown.
const SHOWN: usize = 20;

pub(super) fn report(documents: &[&Document], now: UnixTime) -> String {
    let mut text = String::new();
    for document in documents {
        // Writing to a string cannot fail.
        let _ = write_document(&mut text, document, documents, now);
        text.push('\n');
    }
    text
}

fn write_document(
    text: &mut String,
    document: &Document,
    all: &[&Document],
    now: UnixTime,
) -> std::fmt::Result {
    writeln!(text, "{}: {}", document.file, contents(document))?;
    let issuers = issuers(&document.certificates);
    for (index, (certificate, issuer)) in document.certificates.iter().zip(&issuers).enumerate() {
        writeln!(text, "\n  certificate {}: {}", index + 1, role(certificate, *issuer))?;
        write_certificate(text, certificate, now)?;
        let told = match signer_of(certificate, document, all) {
            Some((other, place)) if *issuer == Issuer::Elsewhere => {
                format!("certificate {} of {}, which signed it", place + 1, other.file)
            }
            _ => issuer_told(*issuer, index, document),
        };
        writeln!(text, "    issuer        {} ({told})", plain(&certificate.issuer))?;
        for rule in &certificate.rules {
            write_rule(text, rule)?;
        }
    }
    for key in &document.keys {
        write_key(text, key, document, all)?;
    }
    for list in &document.lists {
        write_list(text, list, now)?;
    }
    Ok(())
}

fn contents(document: &Document) -> String {
    let count = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let parts = [
        count(document.certificates.len(), "certificate"),
        count(document.keys.len(), "private key"),
        count(document.lists.len(), "revocation list"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match (document.json, parts.is_empty()) {
        (true, true) => "a SPIFFE trust bundle with no key: nobody is to be believed by it".to_owned(),
        (true, false) => format!("a SPIFFE trust bundle with {}", parts.join(", ")),
        (false, _) => parts.join(", "),
    }
}

fn role(certificate: &Certificate, issuer: Issuer) -> &'static str {
    match (certificate.ca, issuer) {
        (true, Issuer::Itself) => "a root CA",
        (true, _) => "a CA below another",
        (false, Issuer::Itself) => "a leaf that vouches for itself",
        (false, _) => "a leaf",
    }
}

fn write_certificate(text: &mut String, certificate: &Certificate, now: UnixTime) -> std::fmt::Result {
    for uri in &certificate.uris {
        writeln!(text, "    URI           {}", uri.as_deref().map_or("(not a string)".into(), plain))?;
    }
    for name in &certificate.dns {
        writeln!(text, "    DNS           {}", plain(name))?;
    }
    for address in &certificate.addresses {
        writeln!(text, "    IP            {address}")?;
    }
    let validity = &certificate.validity;
    writeln!(
        text,
        "    valid         {} to {}: {}",
        date(validity.not_before),
        date(validity.not_after),
        remaining(validity, now)
    )?;
    writeln!(text, "    key           {}", certificate.kind)?;
    if let Some(length) = certificate.path_length {
        writeln!(text, "    path length   {length} CAs may follow below it")?;
    }
    writeln!(text, "    serial        {}", certificate.serial)?;
    writeln!(text, "    SHA-256       {}", certificate.sha256)?;
    writeln!(text, "    subject       {}", plain(&certificate.subject))
}

fn issuer_told(issuer: Issuer, index: usize, document: &Document) -> String {
    match issuer {
        Issuer::Itself => "itself".to_owned(),
        Issuer::At(place) if place == index + 1 => format!("certificate {}, which signed it", place + 1),
        Issuer::At(place) => {
            format!("certificate {}, which signed it and should come right AFTER it", place + 1)
        }
        Issuer::Namesake(place) => {
            format!("certificate {} has this name and did NOT sign it", place + 1)
        }
        Issuer::Elsewhere if index + 1 == document.certificates.len() => "not in this file".to_owned(),
        Issuer::Elsewhere => "NOT in this file: what follows does not belong to the chain".to_owned(),
    }
}

fn write_rule(text: &mut String, rule: &Rule) -> std::fmt::Result {
    let mark = match rule.standing {
        Standing::Kept => "ok",
        Standing::Partly => "partly",
        Standing::Broken => "BROKEN",
    };
    writeln!(text, "    {mark:<6} {}: {}", rule.name, plain(&rule.found))
}

fn write_key(text: &mut String, key: &Key, own: &Document, all: &[&Document]) -> std::fmt::Result {
    writeln!(text, "\n  private key: {}", key.kind)?;
    match owner_of(key, own, all) {
        Some((document, place)) => {
            writeln!(text, "    belongs to    certificate {} of {}", place + 1, document.file)?;
        }
        None if all.iter().any(|document| !document.certificates.is_empty()) => {
            writeln!(text, "    belongs to    NONE of the certificates here")?;
        }
        None => writeln!(text, "    belongs to    name the certificate's file too, to compare them")?,
    }
    if exposed(&own.file) {
        writeln!(
            text,
            "    EXPOSED       every user of this machine can take it; run: chmod 600 {}",
            own.file
        )?;
    }
    Ok(())
}

fn write_list(text: &mut String, list: &List, now: UnixTime) -> std::fmt::Result {
    writeln!(text, "\n  revocation list of {}", plain(&list.issuer))?;
    writeln!(text, "    issued        {}", date(list.this_update))?;
    match list.next_update {
        Some(end) if end <= now => writeln!(
            text,
            "    holds until   {}: EXPIRED {} ago, so nobody is let in whom it could name",
            date(end),
            span(now.as_secs() - end.as_secs())
        )?,
        Some(end) => writeln!(
            text,
            "    holds until   {}: another {}",
            date(end),
            span(end.as_secs() - now.as_secs())
        )?,
        None => writeln!(text, "    holds until   NEVER SAID; the gateway does not take it")?,
    }
    if let Some(number) = &list.number {
        writeln!(text, "    number        {number}")?;
    }
    writeln!(text, "    revoked       {}", list.revoked.len())?;
    for revoked in list.revoked.iter().take(SHOWN) {
        let reason = revoked.reason.as_deref().map_or(String::new(), |reason| format!(", {reason}"));
        writeln!(text, "      {} since {}{reason}", revoked.serial, date(revoked.since))?;
    }
    if let Some(more) = list.revoked.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        writeln!(text, "      and {more} more; --format json has all of them")?;
    }
    Ok(())
}
