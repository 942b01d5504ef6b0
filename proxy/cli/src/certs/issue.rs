//! `landbridge certs issue`.

use std::path::Path;

use anyhow::bail;
use landbridge_certs::issue::{Ca, LeafOptions, Validity};
use landbridge_core::SpiffeId;
use rustls_pki_types::UnixTime;

use super::args::{self, of_hours};
use super::authority::{ends_with_ca, warn_of};
use super::place::{Made, Place};
use super::tell::{date, plain, say, shell};

pub(super) fn issue(arguments: &args::Issue) -> anyhow::Result<()> {
    let now = UnixTime::now();
    let (by, id) = (&arguments.by, &arguments.id);
    let name = arguments.name.as_deref().unwrap_or_else(|| last_part(id));
    let place = Place::new(&arguments.to, name, &[&by.ca, &by.ca_key])?;
    let ca = Ca::load(&by.files(), now)?;
    check_domain(&ca, id, &by.ca)?;
    let asked = Validity::starting(now, of_hours(arguments.hours));
    let options = LeafOptions {
        dns: arguments.dns.clone(),
        addresses: arguments.ip.clone(),
        validity: ca.within(asked),
        algorithm: arguments.algorithm.into(),
        ..LeafOptions::svid(id, now)
    };
    let issued = ca.issue(&options)?;
    let made = Made {
        summary: format!(
            "Issued {id} by {:?}, valid until {}{}.",
            plain(&ca.subject()),
            date(options.validity.not_after),
            ends_with_ca(&asked, &options.validity),
        ),
        certificate: "its certificate, then those of the CAs below the root",
        key: "its private key (mode 0600): whoever has it is this workload",
    };
    let (certificate, key) = place.fill(&issued.chain_pem(), &issued.key_pem(), &made)?;
    warn_of(arguments.algorithm);
    invite(&ca, &by.ca, &certificate, &key);
    Ok(())
}

/// Refuses an identity that no gateway would believe from this CA.
fn check_domain(ca: &Ca, id: &SpiffeId, file: &Path) -> anyhow::Result<()> {
    match ca.domain() {
        Some(domain) if domain.as_str() != id.trust_domain() => bail!(
            "the CA in {} vouches for the trust domain {domain}, and {id} is of {}; give the CA of that domain, or another --id",
            file.display(),
            id.trust_domain()
        ),
        _ => Ok(()),
    }
}

/// The next command to try.
pub(super) fn invite(ca: &Ca, ca_file: &Path, certificate: &Path, key: &Path) {
    let (certificate, key) = (shell(certificate), shell(key));
    match ca.domain() {
        Some(domain) if ca.is_root() => {
            say("Next, what a gateway would make of it:");
            say(format_args!(
                "  landbridge certs verify --cert {certificate} --key {key} --bundle {domain}={}",
                shell(ca_file)
            ));
        }
        _ => {
            say("Next, what it says:");
            say(format_args!("  landbridge certs inspect {certificate} {key}"));
        }
    }
}

/// The last segment of the path, which makes a file name: a segment is never empty, `.` or `..`.
fn last_part(id: &SpiffeId) -> &str {
    id.path().rsplit('/').next().unwrap_or("workload")
}
