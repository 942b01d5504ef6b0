//! What is verified, by whom, and among how many.

use std::fmt;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use landbridge_certs::issue::{CaOptions, Issued, LeafOptions};
use landbridge_certs::{Role, TrustEntry, TrustStore};
use landbridge_core::policy::{Caller, Grant, IdPattern, Policy};
use landbridge_core::{TrustDomain, TrustName};
use landbridge_testkit::pki::{Folder, Mesh};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};

use self::Chain::{Direct, Through};
use self::Grants::{Last, Without};
use self::Trusts::{Fifty, Namesakes, One};
use self::Verifier::{Landbridge, Rustls};

const DOMAIN: &str = "cluster.local";
const CALLER: &str = "ns/default/sa/sleep";
/// The other trust entries, where there are 50.
const OTHERS: usize = 49;

/// One thing to count.
pub(super) struct Case {
    pub(super) verifier: Verifier,
    chain: Chain,
    trusts: Trusts,
    grants: Grants,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verifier {
    /// `WebPkiClientVerifier` with all roots in one store, and no policy.
    Rustls,
    /// The trust store and the policy of the service, as the gateway asks them in the handshake.
    Landbridge,
}

#[derive(Clone, Copy)]
enum Chain {
    /// The leaf is signed by the root.
    Direct,
    /// By an intermediate.
    Through,
}

/// Who is believed; whose root it is comes last.
#[derive(Clone, Copy)]
enum Trusts {
    One,
    /// Of domains of their own.
    Fifty,
    /// All of one domain, with roots of one name, as Istio's own CAs are.
    Namesakes,
}

/// Which of how many grants allows the caller.
#[derive(Clone, Copy)]
enum Grants {
    Last(usize),
    Without(usize),
}

#[rustfmt::skip]
pub(super) const CASES: [Case; 16] = [
    Case { verifier: Rustls, chain: Through, trusts: One, grants: Last(1) },
    Case { verifier: Landbridge, chain: Through, trusts: One, grants: Last(1) },
    Case { verifier: Landbridge, chain: Through, trusts: One, grants: Last(10) },
    Case { verifier: Landbridge, chain: Through, trusts: One, grants: Without(10) },
    Case { verifier: Landbridge, chain: Through, trusts: One, grants: Last(1000) },
    Case { verifier: Landbridge, chain: Through, trusts: One, grants: Without(1000) },
    Case { verifier: Rustls, chain: Direct, trusts: One, grants: Last(1) },
    Case { verifier: Landbridge, chain: Direct, trusts: One, grants: Last(1) },
    Case { verifier: Rustls, chain: Through, trusts: Fifty, grants: Last(1) },
    Case { verifier: Landbridge, chain: Through, trusts: Fifty, grants: Last(1) },
    Case { verifier: Rustls, chain: Direct, trusts: Fifty, grants: Last(1) },
    Case { verifier: Landbridge, chain: Direct, trusts: Fifty, grants: Last(1) },
    Case { verifier: Rustls, chain: Through, trusts: Namesakes, grants: Last(1) },
    Case { verifier: Landbridge, chain: Through, trusts: Namesakes, grants: Last(1) },
    Case { verifier: Rustls, chain: Direct, trusts: Namesakes, grants: Last(1) },
    Case { verifier: Landbridge, chain: Direct, trusts: Namesakes, grants: Last(1) },
];

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.chain {
            Direct => "leaf, ",
            Through => "leaf and intermediate, ",
        })?;
        f.write_str(match self.trusts {
            One => "1 trust entry",
            Fifty => "50 trust entries",
            Namesakes => "50 trust entries of one domain and one root name",
        })?;
        match (self.verifier, self.grants) {
            (Rustls, _) => f.write_str(": rustls alone"),
            (Landbridge, Last(1)) => f.write_str(", 1 grant"),
            (Landbridge, Last(count)) => write!(f, ", {count} grants, the last allows"),
            (Landbridge, Without(count)) => write!(f, ", {count} grants, none allows"),
        }
    }
}

/// The certificates of all cases, in a folder.
pub(super) struct Material(Folder);

impl Material {
    pub(super) fn issue() -> Self {
        let folder = Folder::default();
        let mesh = Mesh::new(DOMAIN);
        let mut options = LeafOptions::new(UnixTime::now());
        options.uris = vec![mesh.id(CALLER)];
        folder.write("root.pem", &mesh.bundle());
        folder.write("direct.pem", &mesh.issue(&options).chain);
        let between = mesh.ca.intermediate("between", &CaOptions::new(UnixTime::now()));
        let through = between.and_then(|ca| ca.issue(&options)).map(|issued: Issued| issued.chain_pem());
        #[expect(clippy::expect_used, reason = "as the meshes of the testkit, which issue or panic")]
        folder.write("through.pem", &through.expect("the system has randomness"));
        for index in 0..OTHERS {
            folder.write(&format!("namesake-{index}.pem"), &Mesh::new(DOMAIN).bundle());
            folder.write(&format!("other-{index}.pem"), &Mesh::new(&other(index)).bundle());
        }
        Self(folder)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

fn other(index: usize) -> String {
    format!("mesh-{index}.example")
}

impl Case {
    /// Sets the case up, and verifies so many times.
    pub(super) fn repeat(&self, folder: &Path, times: usize) -> anyhow::Result<()> {
        let file = match self.chain {
            Direct => "direct.pem",
            Through => "through.pem",
        };
        let chain = certificates(&std::fs::read(folder.join(file))?)?;
        let (leaf, intermediates) = chain.split_first().context("no leaf")?;
        let bundles = self.bundles(folder)?;
        let now = UnixTime::now();
        match self.verifier {
            Rustls => {
                let verifier = plain(&bundles)?;
                for _ in 0..times {
                    black_box(verifier.verify_client_cert(black_box(leaf), intermediates, now)?);
                }
            }
            Landbridge => {
                let entries: Result<Vec<_>, _> = bundles
                    .iter()
                    .enumerate()
                    .map(|(index, (domain, bundle))| {
                        let name = TrustName::new(&format!("entry-{index}"));
                        TrustEntry::from_parts(name, domain.clone(), bundle, None, now)
                    })
                    .collect();
                let store = TrustStore::new(entries?)?;
                let policy = self.policy()?;
                let allows = matches!(self.grants, Last(_));
                for _ in 0..times {
                    let svid = store.verify(black_box(leaf), intermediates, now, Role::Client);
                    let svid = svid.map_err(|refusal| anyhow::anyhow!(refusal.detail))?;
                    let checked = policy.check(&Caller::Verified(svid.identity.clone()));
                    ensure!(black_box(checked).is_ok() == allows, "the policy decided otherwise");
                }
            }
        }
        Ok(())
    }

    /// The domains and bundles of all trust entries.
    fn bundles(&self, folder: &Path) -> anyhow::Result<Vec<(TrustDomain, Vec<u8>)>> {
        let read = |name: &str| std::fs::read(folder.join(name));
        let mut all = Vec::new();
        for index in 0..OTHERS {
            match self.trusts {
                One => {}
                Fifty => {
                    all.push((TrustDomain::parse(&other(index))?, read(&format!("other-{index}.pem"))?));
                }
                Namesakes => all.push((TrustDomain::parse(DOMAIN)?, read(&format!("namesake-{index}.pem"))?)),
            }
        }
        all.push((TrustDomain::parse(DOMAIN)?, read("root.pem")?));
        Ok(all)
    }

    fn policy(&self) -> anyhow::Result<Policy> {
        let (count, last) = match self.grants {
            Last(count) => (count, CALLER.to_owned()),
            Without(count) => (count, "ns/default/sa/other".to_owned()),
        };
        let others = (1..count).map(|index| format!("ns/default/sa/s{index:04}"));
        let grants: Result<Vec<Grant>, _> = others
            .chain([last])
            .map(|path| {
                let id = IdPattern::parse(&format!("spiffe://{DOMAIN}/{path}"))?;
                Ok::<_, landbridge_core::policy::PatternError>(Grant { id, from: None, alias_of: None })
            })
            .collect();
        Ok(Policy::allow(grants?))
    }
}

fn plain(bundles: &[(TrustDomain, Vec<u8>)]) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for (_, bundle) in bundles {
        for root in certificates(bundle)? {
            roots.add(root)?;
        }
    }
    let provider = Arc::new(landbridge_certs::tls::provider());
    Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?)
}

fn certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    Ok(CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?)
}
