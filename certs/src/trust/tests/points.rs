//! Revocation lists that are about some distribution points only (RFC 5280 section 5.2.5).

use rcgen::{CrlDistributionPoint, CrlIssuingDistributionPoint, SerialNumber};

use super::*;

const ONE: &str = "http://crl.example/1";
const TWO: &str = "http://crl.example/2";

/// The extension of a leaf that names a distribution point for each of these addresses.
fn points(addresses: &[&str]) -> Extension {
    let wrap = |tag: u8, content: &[u8]| {
        let mut der = vec![tag, u8::try_from(content.len()).unwrap()];
        der.extend_from_slice(content);
        der
    };
    let point = |address: &&str| wrap(0x30, &wrap(0xa0, &wrap(0xa0, &wrap(0x86, address.as_bytes()))));
    let der = wrap(0x30, &addresses.iter().flat_map(point).collect::<Vec<u8>>());
    Extension { oid: vec![2, 5, 29, 31], critical: false, der }
}

/// A list of `ca` for the leaves of one distribution point.
fn list(ca: &Ca, address: &str, revoked: &[u8]) -> String {
    let key = rcgen::KeyPair::from_pem(&ca.key_pem()).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_der(ca.certificate(), key).unwrap();
    let instant = |offset: i64| {
        let seconds = i64::try_from(now().as_secs()).unwrap() + offset;
        time::OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    };
    let entry = rcgen::RevokedCertParams {
        serial_number: SerialNumber::from_slice(revoked),
        revocation_time: instant(-60),
        reason_code: None,
        invalidity_date: None,
    };
    let list = rcgen::CertificateRevocationListParams {
        this_update: instant(-60),
        next_update: instant(3600),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: Some(CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint { uris: vec![address.to_owned()] },
            scope: None,
        }),
        revoked_certs: vec![entry],
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    list.signed_by(&issuer).unwrap().pem().unwrap()
}

#[test]
fn a_list_for_one_point_decides_over_leaves_that_name_it_first_or_last_and_over_no_other() {
    let ca = root("root");
    let unknown = reason(Reason::RevocationUnknown);
    let revoked = reason(Reason::CertRevoked);
    let cases: [(&[&str], _, _); 4] = [
        (&[ONE, TWO], (None, None), revoked),
        (&[TWO, ONE], (None, None), revoked),
        (&[ONE], unknown, unknown),
        // Who names no point is held to every list of its issuer.
        (&[], (None, None), revoked),
    ];
    for (addresses, if_fine, if_revoked) in cases {
        let issued = leaf(&ca, |leaf| {
            if !addresses.is_empty() {
                leaf.extensions.push(points(addresses));
            }
        });
        let shaken = |revoked: &[u8]| {
            let crl = list(&ca, TWO, revoked);
            let entry = entry_with("cluster-1", "cluster.local", &[&ca], Some(&crl));
            shake(&Gateway::new(vec![entry]), client(&issued)).refused()
        };
        assert_eq!(shaken(&[1, 2, 3]), if_fine, "{addresses:?}");
        assert_eq!(shaken(&issued.serial), if_revoked, "{addresses:?}");
    }
}

#[test]
fn a_file_of_lists_that_is_too_large_is_refused_by_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let ca = root("root");
    let files = TrustFiles {
        name: TrustName::new("cluster-1"),
        domain: TrustDomain::parse("cluster.local").unwrap(),
        bundle: folder.path().join("ca.pem"),
        crl: Some(folder.path().join("crl.pem")),
    };
    std::fs::write(&files.bundle, ca.certificate_pem()).unwrap();
    let crl = std::fs::File::create(folder.path().join("crl.pem")).unwrap();
    crl.set_len((32 << 20) + 1).unwrap();
    let error = TrustEntry::load(&files, now()).unwrap_err().to_string();
    assert!(error.ends_with("crl.pem is larger than the 33554432 bytes that are read"), "{error}");
}
