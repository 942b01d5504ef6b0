//! Three meshes with certificates and revocation lists that are the same in every run.
//!
//! Keys are Ed25519 from fixed seeds, so that every byte is fixed, signatures included. `cluster-1` and
//! `cluster-2` share the trust domain `cluster.local` and stay apart by name; `b` has a domain of its own.

use std::sync::LazyLock;
use std::time::Duration;

use landbridge_certs::{TrustEntry, TrustError, TrustStore};
use landbridge_core::{TrustDomain, TrustName};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose as Purpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose as Usage,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::SignatureScheme;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};

use crate::der::element;
use crate::pem::armored;

/// The root of `cluster-1`.
pub const ROOT_1: usize = 0;
/// The root of `cluster-2`, which has a revocation list.
pub const ROOT_2: usize = 1;
/// The root of `b`.
pub const ROOT_B: usize = 2;
/// An intermediate below [`ROOT_1`].
pub const MIDDLE: usize = 3;

/// Names of the entries of the roots, and their domains.
pub const ENTRIES: [(&str, &str); 3] =
    [("cluster-1", "cluster.local"), ("cluster-2", "cluster.local"), ("b", "b.example")];

/// The last byte, and the only one but its sign, of the serial number that is revoked.
pub const REVOKED: u8 = 66;

const DAY: i64 = 86_400;
const SLEEP: &str = "spiffe://cluster.local/ns/default/sa/sleep";

/// A leaf.
pub struct Leaf {
    /// DER.
    pub der: Vec<u8>,
    /// Which of [`World::cas`] signed it.
    pub issuer: usize,
    /// As whom it is to be believed: by which entry, and as which ID. `None` for a leaf that never is.
    pub believed: Option<(&'static str, &'static str)>,
    /// Whether it may call an endpoint as well as call the gateway.
    pub both_roles: bool,
}

/// Everything that was issued.
pub struct World {
    /// Roots and the intermediate: DER.
    pub cas: [Vec<u8>; 4],
    /// Leaves, some of which nobody is to believe.
    pub leaves: Vec<Leaf>,
    /// Of [`ROOT_2`], current: it revokes the serial [`REVOKED`].
    pub crl: Vec<u8>,
    /// Of [`ROOT_2`], past its end: it revokes nobody.
    pub old_crl: Vec<u8>,
    /// Of [`ROOT_B`], current: it revokes nobody.
    pub foreign_crl: Vec<u8>,
    /// The three entries, `cluster-2` with its list.
    pub store: TrustStore,
}

/// The world, made once per process.
pub fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(made);
    &WORLD
}

/// The time at which everything is judged: 2030-01-01.
pub fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_893_456_000))
}

/// Days before or after [`now`].
pub fn days(count: i64) -> UnixTime {
    let seconds = now().as_secs().saturating_add_signed(count * DAY);
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// The entry of a root, with this bundle and these revocation lists.
pub fn entry(root: usize, bundle: &[u8], crl: Option<&[u8]>) -> Result<TrustEntry, TrustError> {
    let (name, domain) = ENTRIES[root];
    TrustEntry::from_parts(TrustName::new(name), TrustDomain::parse(domain).unwrap(), bundle, crl, now())
}

/// A certificate or revocation list around `tbs`, signed by one of the CAs.
pub fn signed(ca: usize, tbs: &[u8]) -> Vec<u8> {
    let key = rustls::crypto::aws_lc_rs::default_provider()
        .key_provider
        .load_private_key(PrivateKeyDer::from(pkcs8(ca)))
        .unwrap();
    let signature = key.choose_scheme(&[SignatureScheme::ED25519]).unwrap().sign(tbs).unwrap();
    // AlgorithmIdentifier of Ed25519 (RFC 8410 section 3).
    let algorithm = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
    let bits = element(3, &[&[0], signature.as_slice()].concat());
    element(0x30, &[tbs, &algorithm, &bits].concat())
}

/// The key of a CA: an Ed25519 seed of one repeated byte, in PKCS#8 (RFC 8410 section 7).
fn pkcs8(ca: usize) -> PrivatePkcs8KeyDer<'static> {
    let seed = [u8::try_from(ca).unwrap() + 1; 32];
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    PrivatePkcs8KeyDer::from([&prefix[..], &seed].concat())
}

fn key(ca: usize) -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8(ca), &rcgen::PKCS_ED25519).unwrap()
}

fn made() -> World {
    let (roots, middle) = (["root 1", "root 2", "root b"].map(ca_params), ca_params("middle"));
    let mut cas: Vec<Vec<u8>> = roots
        .iter()
        .enumerate()
        .map(|(number, params)| params.self_signed(&key(number)).unwrap().der().to_vec())
        .collect();
    let mut issuers: Vec<Issuer<'static, KeyPair>> =
        roots.into_iter().enumerate().map(|(number, params)| Issuer::new(params, key(number))).collect();
    cas.push(middle.signed_by(&key(MIDDLE), &issuers[ROOT_1]).unwrap().der().to_vec());
    issuers.push(Issuer::new(middle, key(MIDDLE)));
    let cas: [Vec<u8>; 4] = cas.try_into().unwrap();
    let crl = list(&issuers[ROOT_2], 2030, &[REVOKED]);
    let store = TrustStore::new(
        (ROOT_1..=ROOT_B)
            .map(|root| {
                let crl = armored("X509 CRL", &crl);
                let crl = (root == ROOT_2).then_some(crl.as_bytes());
                entry(root, armored("CERTIFICATE", &cas[root]).as_bytes(), crl).unwrap()
            })
            .collect(),
    );
    World {
        leaves: leaves(&issuers),
        old_crl: list(&issuers[ROOT_2], 2029, &[]),
        foreign_crl: list(&issuers[ROOT_B], 2030, &[]),
        store: store.unwrap(),
        cas,
        crl,
    }
}

fn leaves(issuers: &[Issuer<'static, KeyPair>]) -> Vec<Leaf> {
    let issue = |issuer: usize, params: CertificateParams, believed: Option<(&'static str, &'static str)>| {
        let both_roles = params.extended_key_usages.len() != 1;
        let der = params.signed_by(&key(MIDDLE), &issuers[issuer]).unwrap().der().to_vec();
        Leaf { der, issuer, believed, both_roles }
    };
    let changed = |change: fn(&mut CertificateParams)| {
        let mut params = leaf_params(&[SLEEP]);
        change(&mut params);
        params
    };
    let b = "spiffe://b.example/workload";
    vec![
        issue(MIDDLE, leaf_params(&[SLEEP]), Some(("cluster-1", SLEEP))),
        issue(ROOT_2, leaf_params(&[SLEEP]), Some(("cluster-2", SLEEP))),
        issue(ROOT_B, leaf_params(&[b]), Some(("b", b))),
        issue(
            ROOT_1,
            changed(|leaf| leaf.extended_key_usages = vec![Purpose::ClientAuth]),
            Some(("cluster-1", SLEEP)),
        ),
        issue(ROOT_1, changed(|leaf| leaf.extended_key_usages.clear()), Some(("cluster-1", SLEEP))),
        // From here on, nobody is to be believed.
        issue(ROOT_B, leaf_params(&[SLEEP]), None),
        issue(ROOT_1, leaf_params(&[b]), None),
        issue(ROOT_2, changed(|leaf| leaf.serial_number = Some(SerialNumber::from(vec![REVOKED]))), None),
        issue(ROOT_1, changed(|leaf| leaf.not_after = date_time_ymd(2029, 12, 31)), None),
        issue(ROOT_1, changed(|leaf| leaf.not_before = date_time_ymd(2030, 1, 2)), None),
        issue(ROOT_1, leaf_params(&[SLEEP, b]), None),
        issue(ROOT_1, leaf_params(&[]), None),
        issue(ROOT_1, leaf_params(&["spiffe://cluster.local"]), None),
        issue(ROOT_1, changed(|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), None),
        issue(ROOT_1, changed(|leaf| leaf.key_usages.push(Usage::KeyCertSign)), None),
        issue(ROOT_1, changed(|leaf| leaf.key_usages.clear()), None),
    ]
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = params();
    (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2035, 1, 1));
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![Usage::KeyCertSign, Usage::CrlSign];
    params
}

fn leaf_params(uris: &[&str]) -> CertificateParams {
    let mut params = params();
    (params.not_before, params.not_after) = (date_time_ymd(2029, 12, 30), date_time_ymd(2030, 1, 3));
    params.distinguished_name.push(DnType::OrganizationName, "landbridge");
    params.subject_alt_names =
        uris.iter().map(|uri| SanType::URI(uri.to_string().try_into().unwrap())).collect();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![Usage::DigitalSignature];
    params.extended_key_usages = vec![Purpose::ClientAuth, Purpose::ServerAuth];
    params
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(vec![7]));
    params.distinguished_name = DistinguishedName::new();
    params.use_authority_key_identifier_extension = true;
    params
}

/// A list that ends on the fifth of January of `year`.
fn list(issuer: &Issuer<'static, KeyPair>, year: i32, revoked: &[u8]) -> Vec<u8> {
    let entry = |serial: &u8| RevokedCertParams {
        serial_number: SerialNumber::from(vec![*serial]),
        revocation_time: date_time_ymd(year - 1, 12, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(year - 1, 12, 1),
        next_update: date_time_ymd(year, 1, 5),
        crl_number: SerialNumber::from(u64::from(year.unsigned_abs())),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(issuer).unwrap().der().to_vec()
}
