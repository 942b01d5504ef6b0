//! How a certificate stands by the rules of X509-SVID, each by itself.
//!
//! The gateway stops at the first rule that is broken; here each is told.

use landbridge_core::{SpiffeId, TrustDomain};
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::{ExtendedKeyUsage, KeyUsage};

use crate::leaf;
use crate::refusal::quoted;

/// One rule, and how a certificate stands by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What is asked, such as `one URI SAN`.
    pub name: &'static str,
    /// Whether it is kept.
    pub standing: Standing,
    /// What was found.
    pub found: String,
}

/// How a certificate stands by a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it should be.
    Kept,
    /// Kept for some uses and not for others.
    Partly,
    /// Broken: the gateway refuses the certificate.
    Broken,
}

pub(super) fn rules(certificate: &X509Certificate<'_>) -> Result<Vec<Rule>, X509Error> {
    let uris = leaf::uris(certificate)?;
    let usage = certificate.key_usage()?.map(|extension| extension.value);
    if certificate.is_ca() {
        return Ok(vec![no_path(&uris), may_sign(usage)]);
    }
    let purposes = certificate.extended_key_usage()?.map(|extension| extension.value);
    Ok(vec![one_uri(&uris), grammar(&uris), no_ca(usage), signs(usage), for_clients(purposes)])
}

fn rule(name: &'static str, kept: Standing, found: impl Into<String>) -> Rule {
    Rule { name, standing: kept, found: found.into() }
}

/// X509-SVID section 2.
fn one_uri(uris: &[Option<&str>]) -> Rule {
    let standing = if uris.len() == 1 { Standing::Kept } else { Standing::Broken };
    rule("one URI SAN", standing, if uris.is_empty() { "none".to_owned() } else { uris.len().to_string() })
}

/// SPIFFE-ID section 2.
fn grammar(uris: &[Option<&str>]) -> Rule {
    const NAME: &str = "a workload's SPIFFE ID";
    for uri in uris {
        match uri.map(SpiffeId::parse) {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let found = format!("{}: {error}", quoted(uri.unwrap_or_default()));
                return rule(NAME, Standing::Broken, found);
            }
            None => return rule(NAME, Standing::Broken, "a URI SAN that is not a string"),
        }
    }
    match uris.first() {
        Some(Some(uri)) => rule(NAME, Standing::Kept, *uri),
        _ => rule(NAME, Standing::Broken, "none"),
    }
}

/// X509-SVID sections 4.1 and 4.3.
fn no_ca(usage: Option<&KeyUsage>) -> Rule {
    let signs: Vec<&str> = usage
        .copied()
        .map(usages)
        .unwrap_or_default()
        .into_iter()
        .filter(|it| SIGNING.contains(it))
        .collect();
    if signs.is_empty() {
        return rule("not a CA", Standing::Kept, "a leaf");
    }
    rule("not a CA", Standing::Broken, format!("its key usage has {}", signs.join(", ")))
}

/// X509-SVID section 4.3.
fn signs(usage: Option<&KeyUsage>) -> Rule {
    const NAME: &str = "key usage digitalSignature";
    match usage {
        None => rule(NAME, Standing::Broken, "no key usage"),
        Some(usage) if usage.digital_signature() => rule(NAME, Standing::Kept, usages(*usage).join(", ")),
        Some(usage) => rule(NAME, Standing::Broken, usages(*usage).join(", ")),
    }
}

/// X509-SVID section 4.4.
fn for_clients(usage: Option<&ExtendedKeyUsage<'_>>) -> Rule {
    const NAME: &str = "extended key usage clientAuth";
    let Some(usage) = usage else {
        return rule(NAME, Standing::Kept, "none given, which allows every use");
    };
    let found = purposes(usage).join(", ");
    match (usage.client_auth, usage.server_auth) {
        (true, true) => rule(NAME, Standing::Kept, found),
        (true, false) => {
            rule(NAME, Standing::Partly, format!("{found}; for callers only: a server needs serverAuth"))
        }
        (false, true) => {
            rule(NAME, Standing::Partly, format!("{found}; for servers only: a caller needs clientAuth"))
        }
        (false, false) => rule(NAME, Standing::Broken, found),
    }
}

/// X509-SVID section 3.2: a signing certificate's ID, if any, is that of its trust domain.
fn no_path(uris: &[Option<&str>]) -> Rule {
    const NAME: &str = "a CA names a trust domain, or nothing";
    match uris {
        [] => rule(NAME, Standing::Kept, "nothing"),
        [Some(uri)] => {
            let domain = uri.strip_prefix("spiffe://").map(TrustDomain::parse);
            if matches!(domain, Some(Ok(_))) {
                rule(NAME, Standing::Kept, *uri)
            } else {
                rule(NAME, Standing::Broken, format!("{}; is it meant for a workload?", quoted(uri)))
            }
        }
        [None] => rule(NAME, Standing::Broken, "a URI SAN that is not a string"),
        several => rule(NAME, Standing::Broken, format!("{} URI SANs", several.len())),
    }
}

/// X509-SVID section 4.3.
fn may_sign(usage: Option<&KeyUsage>) -> Rule {
    const NAME: &str = "key usage keyCertSign";
    match usage {
        None => rule(NAME, Standing::Broken, "no key usage"),
        Some(usage) if usage.key_cert_sign() => rule(NAME, Standing::Kept, usages(*usage).join(", ")),
        Some(usage) => rule(NAME, Standing::Broken, usages(*usage).join(", ")),
    }
}

/// What no leaf may do.
const SIGNING: [&str; 2] = ["keyCertSign", "cRLSign"];

/// Key usage by its names in RFC 5280 section 4.2.1.3.
pub(super) fn usages(usage: KeyUsage) -> Vec<&'static str> {
    let names = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];
    names
        .into_iter()
        .enumerate()
        .filter(|(bit, _)| usage.flags >> bit & 1 == 1)
        .map(|(_, name)| name)
        .collect()
}

/// Extended key usage by its names in RFC 5280 section 4.2.1.12.
pub(super) fn purposes(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let known = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let known = known.into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned());
    known.chain(usage.other.iter().map(x509_parser::asn1_rs::Oid::to_id_string)).collect()
}
