//! `landbridge certs ca` and `landbridge certs intermediate`.

use anyhow::bail;
use landbridge_certs::issue::{Ca, CaOptions, Validity};
use rustls_pki_types::UnixTime;

use super::args::{self, KeyAlgorithm, of_days};
use super::place::{Made, Place};
use super::tell::{date, plain, say, shell};

pub(super) fn root(arguments: &args::Ca) -> anyhow::Result<()> {
    let now = UnixTime::now();
    let domain = &arguments.domain;
    let name = arguments.name.as_deref().unwrap_or(domain.as_str());
    let place = Place::new(&arguments.to, &format!("{name}-ca"), &[])?;
    let options = CaOptions {
        validity: Validity::starting(now, of_days(arguments.days)),
        algorithm: arguments.algorithm.into(),
        ..CaOptions::new(now)
    };
    let ca = Ca::root_of(&format!("{name} root"), domain, &options)?;
    let end = date(options.validity.not_after);
    let made = Made {
        summary: format!("Made the root CA \"{name} root\" of the trust domain {domain}, valid until {end}."),
        certificate: "its certificate: the bundle of a [[trust]] entry",
        key: "its private key (mode 0600): whoever has it can be anybody",
    };
    let (certificate, key) = place.fill(&ca.certificate_pem(), &ca.key_pem(), &made)?;
    warn_of(arguments.algorithm);
    say("Next, a certificate for a workload:");
    say(format_args!(
        "  landbridge certs issue --ca {} --ca-key {} --id spiffe://{domain}/ns/default/sa/sleep",
        shell(&certificate),
        shell(&key)
    ));
    Ok(())
}

pub(super) fn intermediate(arguments: &args::Intermediate) -> anyhow::Result<()> {
    let now = UnixTime::now();
    let by = &arguments.by;
    let place = Place::new(&arguments.to, &arguments.name, &[&by.ca, &by.ca_key])?;
    let above = Ca::load(&by.files(), now)?;
    if let Some(length) = above.path_length()
        && u32::from(arguments.path_length) >= length
    {
        bail!(
            "the CA in {} allows {length} CAs below it, so this one cannot be followed by {}; {}",
            by.ca.display(),
            arguments.path_length,
            if length == 0 { "issue with the CA above it" } else { "give a smaller --path-length" }
        );
    }
    let asked = Validity::starting(now, of_days(arguments.days));
    let options = CaOptions {
        validity: above.within(asked),
        algorithm: arguments.algorithm.into(),
        path_length: Some(arguments.path_length),
        ..CaOptions::new(now)
    };
    let ca = above.below(&arguments.name, &options)?;
    let made = Made {
        summary: format!(
            "Made the CA {:?} below {:?}, valid until {}{}.",
            arguments.name,
            plain(&above.subject()),
            date(options.validity.not_after),
            ends_with_ca(&asked, &options.validity),
        ),
        certificate: "its certificate and those above it: for --ca, not for bundles",
        key: "its private key (mode 0600): whoever has it can be anybody",
    };
    let (certificate, key) = place.fill(&ca.file_pem(), &ca.key_pem(), &made)?;
    warn_of(arguments.algorithm);
    say("Bundles keep the root alone. Where revocation lists are in use, add one of this CA:");
    say(format_args!(
        "  landbridge certs crl --ca {} --ca-key {} --crl FILE",
        shell(&certificate),
        shell(&key)
    ));
    say("Next, a certificate for a workload:");
    let domain = ca.domain().map_or_else(|| "DOMAIN".to_owned(), |domain| domain.to_string());
    say(format_args!(
        "  landbridge certs issue --ca {} --ca-key {} --id spiffe://{domain}/ns/default/sa/sleep",
        shell(&certificate),
        shell(&key)
    ));
    Ok(())
}

/// Why something ends sooner than asked, where it does.
pub(super) fn ends_with_ca(asked: &Validity, cut: &Validity) -> &'static str {
    if cut.not_after < asked.not_after { ", sooner than asked: its CA ends then" } else { "" }
}

/// Says who refuses such a key: BoringSSL offers no Ed25519 among the signatures that it verifies.
pub(super) fn warn_of(algorithm: KeyAlgorithm) {
    if algorithm == KeyAlgorithm::Ed25519 {
        say(
            "Note: Envoy, and so every Istio sidecar, accepts no Ed25519 certificate from its peers by default.",
        );
    }
}
