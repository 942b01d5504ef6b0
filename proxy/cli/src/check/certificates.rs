//! How long the gateway's certificates, and those that it believes, will last.

use landbridge::{Credentials, KeyPair, TrustEntry};
use rustls_pki_types::UnixTime;

use super::report::Report;
use crate::life::Life;

/// A leaf with less of its life left should have been renewed: renewal is due at half (Istio) or at a
/// third (cert-manager).
const LEAF_PERCENT: u64 = 33;
/// A root lives for years, and takes long to replace everywhere.
const ROOT_PERCENT: u64 = 10;

/// What has been loaded is valid now; this is about what comes.
pub(super) fn check(report: &mut Report, credentials: &Credentials) {
    let now = UnixTime::now();
    if let Some(own) = credentials.own() {
        leaf(report, "identity", own, now);
    }
    for (name, pair) in credentials.all_named() {
        leaf(report, &format!("identities.{name}"), pair, now);
    }
    for entry in credentials.trust().entries() {
        roots(report, entry, now);
    }
    // An expired root or CRL among others; what it keeps from working is in its text.
    for warning in credentials.warnings() {
        report.warn("certificates", format!("{}: {}", warning.path.display(), warning.message), "");
    }
}

fn leaf(report: &mut Report, what: &str, pair: &KeyPair, now: UnixTime) {
    let life = Life { start: pair.not_before(), end: pair.not_after() };
    let who = pair.id().map_or_else(|| "no SPIFFE ID".to_owned(), ToString::to_string);
    let detail = format!("{who}, {}", life.told(now));
    if life.percent_left(now) < LEAF_PERCENT {
        report.warn(what, detail, "renew it; is its rotation stuck?");
    } else {
        report.ok(what, detail);
    }
}

/// One line for an entry: its last root, and whether another is near its end.
fn roots(report: &mut Report, entry: &TrustEntry, now: UnixTime) {
    let what = format!("trust.{}", entry.name());
    let lives: Vec<Life> = entry.validities().map(|(start, end)| Life { start, end }).collect();
    let valid = |life: &&Life| life.start <= now && now <= life.end;
    let Some(last) = lives.iter().filter(valid).max_by_key(|life| life.end.as_secs()) else {
        report.fail(
            what,
            "none of its roots is valid now",
            "add the present root of the domain to the bundle",
        );
        return;
    };
    let detail = format!(
        "{} of {} roots valid, the last {}",
        lives.iter().filter(valid).count(),
        lives.len(),
        last.told(now)
    );
    if last.percent_left(now) < ROOT_PERCENT {
        report.warn(what, detail, "add the domain's next root to the bundle before this one ends");
    } else {
        report.ok(what, detail);
    }
}
