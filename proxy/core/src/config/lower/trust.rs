//! `[[trust]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::first::FirstTerminating;
use super::{section, text};
use crate::config::TrustFiles;
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::{List, RawTrust};
use crate::spiffe::{TrustDomain, TrustName};

/// Whom the gateway believes.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct Trusts {
    /// The domain of each entry, by the entry's name.
    pub(in crate::config) domains: BTreeMap<String, TrustDomain>,
    /// Every domain that some entry vouches for.
    vouched: BTreeSet<String>,
    /// Whether there is any entry, readable or not.
    any: bool,
    /// Whether some entry could not be read, so that what is unknown may be that.
    pub(super) incomplete: bool,
}

impl Trusts {
    /// The entries of these names and domains.
    pub(in crate::config) fn of(entries: impl IntoIterator<Item = (TrustName, TrustDomain)>) -> Self {
        let mut trusts = Self { any: true, ..Self::default() };
        for (name, domain) in entries {
            trusts.add(&name, domain);
        }
        trusts
    }

    fn add(&mut self, name: &TrustName, domain: TrustDomain) {
        self.vouched.insert(domain.as_str().to_owned());
        self.domains.insert(name.as_str().to_owned(), domain);
    }

    /// Entries that stand elsewhere, so that any name may be one of theirs.
    pub(super) fn unknown() -> Self {
        Self { incomplete: true, ..Self::default() }
    }

    /// Whether some entry vouches for the members of `domain`.
    pub(super) fn vouch_for(&self, domain: &str) -> bool {
        self.vouched.contains(domain)
    }
}

pub(super) fn trust(
    raw: Option<List<RawTrust>>,
    dir: &Path,
    found: &mut Findings,
) -> (Vec<TrustFiles>, Trusts) {
    let mut trusts =
        Trusts { incomplete: raw.as_ref().is_some_and(|list| list.value.is_none()), ..Trusts::default() };
    trusts.any = trusts.incomplete;
    let mut entries = Vec::new();
    let mut first_of: BTreeMap<TrustName, usize> = BTreeMap::new();
    for (index, field) in section(raw).into_iter().enumerate() {
        trusts.any = true;
        let entry = field.value.and_then(|raw| {
            let entry = entry(&raw, field.place, dir, found);
            let (name, place) = (entry.name?, raw.name.as_ref().map_or(field.place, |name| name.place));
            if let Some(first) = first_of.get(&name) {
                let complaint = Complaint::new(format!("\"{name}\" is the name of trust[{first}] already"));
                let place = if raw.name.is_some() { place } else { found.absent(place, "name") };
                found.error(
                    place,
                    complaint.help("give each entry a name of its own; several may share a domain"),
                );
                return None;
            }
            first_of.insert(name.clone(), index);
            let domain = entry.domain?;
            trusts.add(&name, domain.clone());
            Some(TrustFiles { name, domain, bundle: entry.bundle?, crl: entry.crl })
        });
        trusts.incomplete |= entry.is_none();
        entries.extend(entry);
    }
    (entries, trusts)
}

/// What could be read of an entry.
struct Entry {
    name: Option<TrustName>,
    domain: Option<TrustDomain>,
    bundle: Option<std::path::PathBuf>,
    crl: Option<std::path::PathBuf>,
}

fn entry(raw: &RawTrust, place: Place, dir: &Path, found: &mut Findings) -> Entry {
    for (absent, key, help) in [
        (
            raw.domain.is_none(),
            "domain",
            "add the trust domain of the mesh, such as domain = \"cluster.local\"",
        ),
        (
            raw.bundle.is_none(),
            "bundle",
            "add the file with the roots of that mesh, such as bundle = \"roots.pem\"",
        ),
    ] {
        if absent {
            let place = found.absent(place, key);
            found.error(place, Complaint::new("missing").help(help));
        }
    }
    let domain = found.meaning(raw.domain.as_ref(), |text| domain(text));
    let name = match &raw.name {
        Some(_) => found.meaning(raw.name.as_ref(), text::not_empty).map(|name| TrustName::new(&name)),
        None => domain.as_ref().map(|domain| TrustName::new(domain.as_str())),
    };
    Entry {
        name,
        domain,
        bundle: found.meaning(raw.bundle.as_ref(), |text| text::path(text, dir)),
        crl: found.meaning(raw.crl.as_ref(), |text| text::path(text, dir)),
    }
}

/// The trust domain of an entry.
pub(in crate::config) fn domain(text: &str) -> Result<TrustDomain, Complaint> {
    TrustDomain::parse(text).map_err(|error| Complaint::new(format!("{text:?} is no trust domain: {error}")))
}

/// Notes that a terminating service needs somebody to believe, if there is nobody.
pub(super) fn require(trusts: &Trusts, first: &FirstTerminating, found: &mut Findings) {
    if !trusts.any {
        let place = found.absent_for("trust", first.place);
        let complaint = Complaint::new(format!(
            "missing: {} terminates TLS, and no caller can be verified without a trust entry",
            first.name
        ));
        found.error(place, complaint.help("add a [[trust]] entry with domain and bundle"));
    }
}
