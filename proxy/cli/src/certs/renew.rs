//! `landbridge certs renew`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use landbridge_certs::inspect::Document;
use landbridge_certs::issue::{Ca, Issued, NewKey, Validity, load_key};
use rustls_pki_types::UnixTime;

use super::args::{self, of_hours};
use super::authority::ends_with_ca;
use super::issue::invite;
use super::place::{Made, Place, inside};
use super::tell::{date, say, shell};
use super::verify::chain_of;
use super::write::{Outputs, Readers};

pub(super) fn renew(arguments: &args::Renew) -> anyhow::Result<()> {
    let now = UnixTime::now();
    let by = &arguments.by;
    let old = &arguments.certificate;
    let certificate = target(arguments);
    let (ca, ca_key) = (by.ca.as_path(), by.ca_key.as_path());
    // Before anything else: what cannot be written need not be signed.
    let writing = if let Some(key) = &arguments.key {
        let paths = vec![certificate.clone()];
        Writing::Certificate(Outputs::check(paths, &[ca, ca_key, key], arguments.replacing())?)
    } else {
        let key = arguments.new_key.clone().unwrap_or_else(|| certificate.with_extension("key"));
        Writing::Both(Place::at(certificate.clone(), key, &[ca, ca_key], arguments.replacing())?)
    };
    let ca = Ca::load(&by.files(), now)?;
    let document = Document::read(old)?;
    let before = chain_of(&document)?;
    let leaf = &before.der;
    let asked = match arguments.hours {
        Some(hours) => Validity::starting(now, of_hours(hours)),
        None => Validity::as_long_as(leaf, now).context("the certificate cannot be decoded")?,
    };
    let validity = ca.within(asked);
    let key = match &arguments.key {
        Some(key) => NewKey::Same(load_key(key)?),
        None => NewKey::Fresh(arguments.algorithm.map(Into::into)),
    };
    let issued = ca.renew(leaf, key, validity).with_context(|| format!("cannot renew {}", old.display()))?;
    let until = format!("valid until {}{}", date(validity.not_after), ends_with_ca(&asked, &validity));
    let key = writing.fill(&issued, &certificate, &until)?;
    if now <= before.validity.not_after {
        say(format_args!(
            "The old one is valid until {}; to revoke it: landbridge certs crl --ca {} --ca-key {} --revoke {}",
            date(before.validity.not_after),
            shell(&by.ca),
            shell(&by.ca_key),
            before.serial
        ));
    }
    let key = key.as_deref().or(arguments.key.as_deref()).unwrap_or(Path::new("KEY"));
    invite(&ca, &by.ca, &certificate, key);
    Ok(())
}

/// What is written: a certificate alone, or with a new key.
enum Writing {
    Certificate(Outputs),
    Both(Place),
}

impl Writing {
    /// Writes, says so, and returns where a new key is.
    fn fill(self, issued: &Issued, certificate: &Path, until: &str) -> anyhow::Result<Option<PathBuf>> {
        match self {
            Self::Certificate(outputs) => {
                outputs.write(&[(&issued.chain_pem(), Readers::Everybody)])?;
                say(format_args!("Renewed the certificate for the same key, {until}."));
                say(format_args!(
                    "  {}  the certificate, then those of the CAs below the root",
                    certificate.display()
                ));
                Ok(None)
            }
            Self::Both(place) => {
                let made = Made {
                    summary: format!("Renewed the certificate for a new key, {until}."),
                    certificate: "its certificate, then those of the CAs below the root",
                    key: "its private key (mode 0600): whoever has it is this workload",
                };
                Ok(Some(place.fill(&issued.chain_pem(), &issued.key_pem(), &made)?.1))
            }
        }
    }
}

fn target(arguments: &args::Renew) -> PathBuf {
    if let Some(certificate) = &arguments.cert {
        return certificate.clone();
    }
    match (&arguments.out, arguments.certificate.file_name()) {
        (Some(out), Some(name)) => inside(out, &name.to_string_lossy()),
        _ => arguments.certificate.clone(),
    }
}
