//! `landbridge certs crl`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use landbridge_certs::inspect::Document;
use landbridge_certs::issue::{Ca, Revocations, Validity};
use rustls_pki_types::UnixTime;

use super::args::{self, of_days};
use super::tell::{date, plain, say, shell};
use super::verify::chain_of;
use super::write::{Outputs, Readers, Replacing};

pub(super) fn crl(arguments: &args::Crl) -> anyhow::Result<()> {
    let now = UnixTime::now();
    let by = &arguments.by;
    let file = arguments.file.clone().unwrap_or_else(|| beside(&by.ca));
    // What is revoked stays revoked, so that replacing the file loses nothing.
    let outputs = Outputs::check(vec![file.clone()], &[&by.ca, &by.ca_key], Replacing::Files)?;
    let ca = Ca::load(&by.files(), now)?;
    // From reading the list to replacing it nobody else extends it.
    let _alone = outputs.lock()?;
    let known = file.exists().then_some(file.as_path());
    let serials =
        arguments.revoke.iter().map(|text| serial(&ca, text)).collect::<anyhow::Result<Vec<_>>>()?;
    let validity = ca.within(Validity::starting(now, of_days(arguments.days)));
    let list = ca.revoke(known, &serials, validity)?;
    outputs.write(&[(&list.pem, Readers::Everybody)])?;
    tell(&ca, &list, &file, validity);
    Ok(())
}

fn tell(ca: &Ca, list: &Revocations, file: &Path, validity: Validity) {
    let Revocations { revoked, added, others, .. } = list;
    say(format_args!(
        "{:?} revokes {revoked} of its certificates ({added} of them new); the list holds until {}.",
        plain(&ca.subject()),
        date(validity.not_after)
    ));
    say(format_args!("  {}  for crl = \"…\" of the [[trust]] entry", file.display()));
    for issuer in others {
        say(format_args!("  also in it, as it was: the list of {}", plain(issuer)));
    }
    say("Renew it in time: once it has ended, nobody is let in whom it could name. Next, what it says:");
    say(format_args!("  landbridge certs inspect {}", shell(file)));
}

/// `cluster-1.crl.pem` for `cluster-1-ca.pem`.
fn beside(ca: &Path) -> PathBuf {
    let stem = ca.file_stem().unwrap_or_default().to_string_lossy();
    ca.with_file_name(format!("{}.crl.pem", stem.strip_suffix("-ca").unwrap_or(&stem)))
}

/// The serial number of a certificate in a file, or the one that is spelt out.
fn serial(ca: &Ca, text: &str) -> anyhow::Result<Vec<u8>> {
    let path = Path::new(text);
    if path.exists() {
        let document = Document::read(path)?;
        let leaf = chain_of(&document)?;
        return ca.serial_of(&leaf.der).with_context(|| format!("cannot revoke {text}"));
    }
    hexadecimal(text).with_context(|| {
        format!(
            "cannot revoke {text:?}: it is neither a file nor a serial number in hexadecimal, as in 4f:02:a1"
        )
    })
}

/// A serial number as `inspect` and openssl write it. Of at most 20 bytes, as RFC 5280 has it.
fn hexadecimal(text: &str) -> anyhow::Result<Vec<u8>> {
    let digits: String =
        text.strip_prefix("0x").unwrap_or(text).chars().filter(|char| *char != ':').collect();
    let digits = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits };
    if digits.is_empty() || digits.len() > 42 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("not 1 to 20 bytes in hexadecimal");
    }
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
    Ok(pairs.map(|pair| u8::from_str_radix(pair, 16)).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_read_as_inspect_and_openssl_write_it() {
        for text in ["4f:02:a1", "4F02A1", "0x4f02a1", "4f02a1"] {
            assert_eq!(hexadecimal(text).unwrap(), [0x4f, 0x02, 0xa1], "{text}");
        }
        assert_eq!(hexadecimal("f01").unwrap(), [0x0f, 0x01]);
        for text in ["", ":", "0x", "xyz", "4f 02", &"00".repeat(22)] {
            assert!(hexadecimal(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_list_lies_beside_its_ca_under_its_name() {
        let cases = [
            ("pki/cluster-1-ca.pem", "pki/cluster-1.crl.pem"),
            ("root.pem", "root.crl.pem"),
            ("ca", "ca.crl.pem"),
        ];
        for (ca, list) in cases {
            assert_eq!(beside(Path::new(ca)), Path::new(list));
        }
    }
}
