//! `landbridge certs verify`: what a gateway would make of a certificate, and why.

mod report;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use landbridge::config::{self, Config, KeyPairFiles, TrustFiles};
use landbridge::policy::{Caller, Policy};
use landbridge::{Service, Snapshot};
use landbridge_certs::inspect::{Certificate, Document};
use landbridge_certs::issue::load_key;
use landbridge_certs::{KeyPair, Refusal, Role, Svid, TrustEntry, TrustStore};
use landbridge_core::policy::Grant;
use landbridge_core::table::{Answers, Route};
use landbridge_core::{Identity, Table};
use rustls_pki_types::{CertificateDer, UnixTime};

use self::report::Report;
use super::args::{self, Bundle};
use super::tell::say;
use crate::report_format::ReportFormat;

/// What one trust entry says of the chain.
struct Answer {
    name: String,
    domain: String,
    verdict: Result<(), Refusal>,
    warnings: Vec<String>,
}

/// What a service says of the caller.
enum Entry {
    /// This grant lets the caller in.
    Granted(Grant),
    /// Nothing does, and the service only logs that.
    Audited,
    /// Nothing does.
    Denied,
    /// The gateway sees no identity here.
    PassedThrough,
}

pub(super) fn verify(arguments: &args::Verify) -> anyhow::Result<ExitCode> {
    let now = arguments.at.unwrap_or_else(UnixTime::now);
    let document = Document::read(&arguments.cert)?;
    let leaf = chain_of(&document)?;
    let chain: Vec<CertificateDer<'static>> =
        document.certificates.iter().skip(1).map(|certificate| certificate.der.clone()).collect();
    let config = arguments.config.as_deref().map(read).transpose()?;
    let service = match (&arguments.service, &config) {
        (Some(name), Some(config)) => Some(find(&config.services, name)?),
        _ => None,
    };
    let trust = match &config {
        Some(config) => config.trust.clone(),
        None => named(&arguments.bundle, &arguments.crl)?,
    };
    let store = TrustStore::new(load(&trust, now)?)?;
    let verdict = store.verify(&leaf.der, &chain, now, Role::Client);
    let key = arguments.key.as_deref().map(|key| pair(&arguments.cert, key, now));
    let entry = match (&service, &verdict) {
        (Some(asked), Ok(svid)) => Some(ask(asked.policy(), &svid.identity)),
        _ => None,
    };
    let report = Report {
        file: &document.file,
        leaf,
        now,
        key: key.as_ref(),
        answers: alone(&trust, leaf, &chain, now)?,
        verdict: &verdict,
        service: service.as_ref(),
        entry: entry.as_ref(),
    };
    match arguments.format {
        ReportFormat::Text => say(report.text().trim_end()),
        ReportFormat::Json => say(report.json()),
    }
    Ok(if report.accepted() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The first certificate of a file that should hold a chain.
pub(super) fn chain_of(document: &Document) -> anyhow::Result<&Certificate> {
    if let Some(leaf) = document.certificates.first() {
        return Ok(leaf);
    }
    let holds = if document.keys.is_empty() { "a revocation list" } else { "a private key" };
    bail!("{} holds {holds}, and a certificate is expected; were two files swapped?", document.file)
}

/// What each entry says by itself, by the same function.
fn alone(
    trust: &[TrustFiles],
    leaf: &Certificate,
    chain: &[CertificateDer<'static>],
    now: UnixTime,
) -> anyhow::Result<Vec<Answer>> {
    let answer = |entry: TrustEntry| {
        let (name, domain) = (entry.name().to_string(), entry.domain().to_string());
        let warnings = entry.warnings().iter().map(ToString::to_string).collect();
        let verdict =
            TrustStore::new(vec![entry])?.verify(&leaf.der, chain, now, Role::Client).map(|_: Svid| ());
        Ok(Answer { name, domain, verdict, warnings })
    };
    load(trust, now)?.into_iter().map(answer).collect()
}

fn load(trust: &[TrustFiles], now: UnixTime) -> anyhow::Result<Vec<TrustEntry>> {
    let entry = |files: &TrustFiles| {
        TrustEntry::load(files, now).with_context(|| format!("trust entry {}", files.name))
    };
    trust.iter().map(entry).collect()
}

/// The same checks as for a gateway's own identity.
fn pair(certificate: &Path, key: &Path, now: UnixTime) -> Result<(), String> {
    let files = KeyPairFiles::Pair { certificate: certificate.to_owned(), private_key: key.to_owned() };
    load_key(key).map_err(|error| error.to_string())?;
    KeyPair::load(&files, now).map(|_| ()).map_err(|error| error.to_string())
}

fn read(path: &Path) -> anyhow::Result<Config> {
    /// The largest configuration file that is read here, in bytes.
    const LARGEST: u64 = 64 << 20;
    let found = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !found.is_file() || found.len() > LARGEST {
        bail!("{} is not a configuration file: a regular file of at most 64 MiB is expected", path.display());
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let accepted = config::parse(&text, &config::Source::file(path)).map_err(|problems| {
        anyhow::anyhow!("{problems}\n{} is not valid; see: landbridge validate -c {0}", path.display())
    })?;
    Ok(accepted.config)
}

/// The trust entries of the command line.
fn named(bundles: &[Bundle], crls: &[String]) -> anyhow::Result<Vec<TrustFiles>> {
    let mut trust: Vec<TrustFiles> = bundles
        .iter()
        .map(|bundle| TrustFiles {
            name: bundle.name.clone(),
            domain: bundle.domain.clone(),
            bundle: bundle.file.clone(),
            crl: None,
        })
        .collect();
    for crl in crls {
        let named = crl.split_once('=').and_then(|(name, file)| {
            trust.iter().position(|it| it.name.as_str() == name).map(|at| (at, file))
        });
        let (place, file) = match named {
            Some(found) => found,
            None if trust.len() == 1 && !crl.contains('=') => (0, crl.as_str()),
            None => bail!("--crl {crl}: expected NAME=FILE, with the name of one --bundle"),
        };
        if let Some(entry) = trust.get_mut(place)
            && entry.crl.replace(file.into()).is_some()
        {
            bail!("--crl {crl}: {} has a --crl already; put both lists into one file", entry.name);
        }
    }
    Ok(trust)
}

/// What is asked to let the caller in.
enum Asked {
    /// A service, by its name in the log (`host:port`).
    Service(Arc<Service>),
    /// Where a server name leads: a service, or a subset of it.
    Route(Arc<Route>),
}

impl Asked {
    fn service(&self) -> &Arc<Service> {
        match self {
            Self::Service(service) => service,
            Self::Route(route) => &route.service,
        }
    }

    fn subset(&self) -> Option<&str> {
        match self {
            Self::Service(_) => None,
            Self::Route(route) => route.subset(),
        }
    }

    fn called(&self) -> String {
        let service = &self.service().name;
        match self.subset() {
            Some(subset) => format!("subset {subset} of {service}"),
            None => service.to_string(),
        }
    }

    /// The policy in force there.
    fn policy(&self) -> &Policy {
        match self {
            Self::Service(service) => &service.policy,
            Self::Route(route) => route.policy(),
        }
    }
}

/// By its name in the log (`host:port`), or by a server name that leads to it.
fn find(services: &Snapshot, name: &str) -> anyhow::Result<Asked> {
    if let Some(service) = services.service(name) {
        return Ok(Asked::Service(service.clone()));
    }
    let table = Table::compile(services, &Answers::default(), &Table::default());
    if let Some(route) = table.find(&name.to_ascii_lowercase()) {
        return Ok(Asked::Route(route.clone()));
    }
    let known: Vec<&str> = services.sorted().into_iter().take(10).map(|service| &*service.name).collect();
    bail!("no service is called {name:?}; the configuration has {}", known.join(", "))
}

/// Whether the caller gets in, and by which grant.
fn ask(policy: &Policy, identity: &Identity) -> Entry {
    let caller = Caller::Verified(identity.clone());
    match (policy, policy.check(&caller)) {
        (Policy::EndpointDecides, _) => Entry::PassedThrough,
        (_, Err(_)) => Entry::Denied,
        (Policy::Grants { .. }, Ok(permit)) => permit
            .grant()
            .and_then(|index| policy.grant(index))
            .map_or(Entry::Audited, |grant| Entry::Granted(grant.clone())),
    }
}
