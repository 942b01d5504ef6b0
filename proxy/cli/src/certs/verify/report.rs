//! What was found, in text and JSON.

use landbridge_certs::inspect::Certificate;
use landbridge_certs::{Refusal, Svid};
use landbridge_core::Reason;
use rustls_pki_types::UnixTime;
use serde_json::{Value, json};

use super::super::tell::{plain, remaining};
use super::{Answer, Asked, Entry};

pub(super) struct Report<'a> {
    pub(super) file: &'a str,
    pub(super) leaf: &'a Certificate,
    pub(super) now: UnixTime,
    pub(super) key: Option<&'a Result<(), String>>,
    pub(super) answers: Vec<Answer>,
    pub(super) verdict: &'a Result<Svid, Refusal>,
    pub(super) service: Option<&'a Asked>,
    pub(super) entry: Option<&'a Entry>,
}

impl Report<'_> {
    /// Whether all that was asked about is as it should be.
    pub(super) fn accepted(&self) -> bool {
        self.verdict.is_ok()
            && self.key.is_none_or(Result::is_ok)
            && self.entry.is_none_or(|entry| matches!(entry, Entry::Granted(_) | Entry::Audited))
    }

    pub(super) fn text(&self) -> String {
        let mut lines = vec![format!(
            "{}: {}, {}",
            self.file,
            plain(&self.claimed()),
            remaining(&self.leaf.validity, self.now)
        )];
        match self.key {
            Some(Ok(())) => lines.push("  key      belongs to the certificate".to_owned()),
            Some(Err(error)) => lines.push(format!("  key      NO: {error}")),
            None => {}
        }
        for answer in &self.answers {
            let told = match &answer.verdict {
                Ok(()) => "accepts it".to_owned(),
                Err(refusal) => format!("refuses it: {}", self.why(answer, refusal)),
            };
            lines.push(format!("  trust    {} (of {}) {told}", answer.name, answer.domain));
            lines.extend(answer.warnings.iter().map(|warning| format!("           warning: {warning}")));
        }
        if let (Some(service), Some(entry)) = (self.service, self.entry) {
            lines.push(format!("  service  {} {}", service.called(), told(entry)));
        }
        lines.push(self.conclusion());
        lines.join("\n")
    }

    fn claimed(&self) -> String {
        match self.leaf.uris.as_slice() {
            [Some(uri)] => uri.clone(),
            uris => format!("a certificate with {} URI SANs", uris.len()),
        }
    }

    /// An entry of another domain is not asked at all, which the function has a broader word for.
    fn why(&self, answer: &Answer, refusal: &Refusal) -> String {
        if refusal.reason == Reason::UnknownTrustDomain {
            return format!("it vouches for {} alone", answer.domain);
        }
        format!("{}: {}", refusal.reason, self.detail(refusal))
    }

    /// What was wrong, without the name that stands above it already.
    fn detail<'a>(&self, refusal: &'a Refusal) -> &'a str {
        let named = refusal.detail.strip_prefix(&self.claimed()).and_then(|rest| rest.strip_prefix(": "));
        named.unwrap_or(&refusal.detail)
    }

    fn conclusion(&self) -> String {
        let svid = match self.verdict {
            Ok(svid) => svid,
            Err(refusal) => {
                let reason = refusal.reason;
                let alert = reason.alert().map_or(String::new(), |alert| format!(" (TLS alert {alert})"));
                return format!("REFUSED: {reason}: {}{alert}\n  {}", self.detail(refusal), reason.hint());
            }
        };
        if self.key.is_some_and(Result::is_err) {
            return "NOT USABLE: the certificate is believed, and its owner cannot prove to be it".to_owned();
        }
        let identity = format!("{} as vouched for by {}", svid.identity.id, svid.identity.trust);
        match (self.service, self.entry) {
            (Some(service), Some(Entry::Denied)) => {
                let reason = Reason::Denied;
                format!(
                    "REFUSED: {reason}: {identity} may not call {}\n  {}",
                    service.called(),
                    reason.hint()
                )
            }
            (Some(service), Some(Entry::PassedThrough)) => {
                format!("UNKNOWN: {} is passed through, and its endpoint decides", service.called())
            }
            (Some(service), Some(_)) => format!("ACCEPTED: {identity}, and may call {}", service.called()),
            _ => format!("ACCEPTED: {identity}"),
        }
    }

    pub(super) fn json(&self) -> Value {
        let answers: Vec<Value> = self
            .answers
            .iter()
            .map(|answer| {
                let refusal = answer.verdict.as_ref().err();
                json!({
                    "name": answer.name,
                    "domain": answer.domain,
                    "accepts": answer.verdict.is_ok(),
                    "reason": refusal.map(|refusal| refusal.reason.word()),
                    "detail": refusal.map(|refusal| self.why(answer, refusal)),
                    "warnings": answer.warnings,
                })
            })
            .collect();
        let svid = self.verdict.as_ref().ok();
        let refusal = self.verdict.as_ref().err();
        json!({
            "file": self.file,
            "accepted": self.accepted(),
            "id": svid.map(|svid| svid.identity.id.as_str()),
            "trust": svid.map(|svid| svid.identity.trust.as_str()),
            "reason": refusal.map(|refusal| refusal.reason.word()),
            "detail": refusal.map(|refusal| refusal.detail.as_str()),
            "alert": refusal.and_then(|refusal| refusal.reason.alert()),
            "key": self.key.map(|key| json!({ "belongs": key.is_ok(), "detail": key.as_ref().err() })),
            "trust_entries": answers,
            "service": self.service.zip(self.entry).map(|(service, entry)| json!({
                "name": service.service().name.to_string(),
                "subset": service.subset(),
                "allows": matches!(entry, Entry::Granted(_) | Entry::Audited),
                "detail": told(entry),
            })),
        })
    }
}

fn told(entry: &Entry) -> String {
    match entry {
        Entry::Granted(grant) => format!("lets it in, by allow = {grant}"),
        Entry::Audited => {
            "lets it in and logs would_deny: nothing in allow names it (authorization = \"audit\")".to_owned()
        }
        Entry::Denied => "does not let it in: nothing in allow names it".to_owned(),
        Entry::PassedThrough => "is passed through: the gateway sees no identity".to_owned(),
    }
}
