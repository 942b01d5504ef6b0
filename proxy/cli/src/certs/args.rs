//! The command line of `landbridge certs`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::builder::RangedU64ValueParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use landbridge::sni::NamePattern;
use landbridge::spiffe::{SpiffeId, TrustDomain, TrustName};
use landbridge_certs::issue::{Algorithm, AuthorityFiles};
use rustls_pki_types::UnixTime;

use super::examples;
use super::write::Replacing;
use crate::report_format::ReportFormat;

#[derive(Debug, Args)]
#[command(after_help = examples::CERTS)]
pub(crate) struct Certs {
    #[command(subcommand)]
    pub(super) command: CertsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum CertsCommand {
    /// Make the root CA of a trust domain.
    Ca(Ca),
    /// Make a CA below another.
    Intermediate(Intermediate),
    /// Issue a certificate: for a caller, a gateway or a service's own sidecar.
    Issue(Issue),
    /// Issue a certificate again, with the same names and new dates.
    Renew(Renew),
    /// Begin, extend or renew a CA's revocation list.
    Crl(Crl),
    /// Say in plain words what files of certificates, keys and revocation lists hold.
    Inspect(Inspect),
    /// Say whether a gateway would believe a certificate, and let its owner call; 0 if so, 1 if not.
    Verify(Verify),
}

#[derive(Debug, Args)]
#[command(after_help = examples::CA)]
pub(super) struct Ca {
    /// The trust domain that it vouches for, such as cluster.local.
    #[arg(long, value_name = "DOMAIN", value_parser = TrustDomain::parse)]
    pub(super) domain: TrustDomain,
    /// What it is called: the first part of its files' names. Default: the trust domain.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(super) name: Option<String>,
    /// How long it lasts, in days.
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = days())]
    pub(super) days: u32,
    /// What kind of key it has.
    #[arg(long, value_enum, default_value_t = KeyAlgorithm::P256)]
    pub(super) algorithm: KeyAlgorithm,
    #[command(flatten)]
    pub(super) to: To,
}

#[derive(Debug, Args)]
#[command(after_help = examples::INTERMEDIATE)]
pub(super) struct Intermediate {
    #[command(flatten)]
    pub(super) by: By,
    /// What it is called: its files are NAME.pem and NAME.key.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(super) name: String,
    /// How many CAs may follow below it.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=6))]
    pub(super) path_length: u8,
    /// How long it lasts, in days; no longer than the CA above it.
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = days())]
    pub(super) days: u32,
    /// What kind of key it has.
    #[arg(long, value_enum, default_value_t = KeyAlgorithm::P256)]
    pub(super) algorithm: KeyAlgorithm,
    #[command(flatten)]
    pub(super) to: To,
}

#[derive(Debug, Args)]
#[command(after_help = examples::ISSUE)]
pub(super) struct Issue {
    #[command(flatten)]
    pub(super) by: By,
    /// Whose it is: the one URI SAN, such as spiffe://cluster.local/ns/default/sa/sleep.
    #[arg(long, value_name = "SPIFFE_ID", value_parser = SpiffeId::parse)]
    pub(super) id: SpiffeId,
    /// A DNS name for it too (repeatable), where clients compare the name that they asked for.
    #[arg(long, value_name = "NAME", value_parser = dns)]
    pub(super) dns: Vec<String>,
    /// An IP address for it too (repeatable).
    #[arg(long, value_name = "ADDRESS")]
    pub(super) ip: Vec<IpAddr>,
    /// What its files are called: NAME.pem and NAME.key. Default: the last part of the SPIFFE ID.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(super) name: Option<String>,
    /// How long it lasts, in hours; no longer than the CA.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = hours())]
    pub(super) hours: u32,
    /// What kind of key it has.
    #[arg(long, value_enum, default_value_t = KeyAlgorithm::P256)]
    pub(super) algorithm: KeyAlgorithm,
    #[command(flatten)]
    pub(super) to: To,
}

#[derive(Debug, Args)]
#[command(after_help = examples::RENEW)]
pub(super) struct Renew {
    /// The certificate (a chain is fine: its first is renewed).
    #[arg(value_name = "CERT")]
    pub(super) certificate: PathBuf,
    #[command(flatten)]
    pub(super) by: By,
    /// Its private key, to keep it. Without this a new key is made.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["algorithm", "new_key"])]
    pub(super) key: Option<PathBuf>,
    /// How long it lasts, in hours; no longer than the CA. Default: as long as before.
    #[arg(long, value_name = "N", value_parser = hours())]
    pub(super) hours: Option<u32>,
    /// What kind of new key. Default: as before.
    #[arg(long, value_enum)]
    pub(super) algorithm: Option<KeyAlgorithm>,
    /// The folder to write to. Default: the certificate's own.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cert", "new_key"])]
    pub(super) out: Option<PathBuf>,
    /// The file to write the certificate to. Default: CERT.
    #[arg(long, value_name = "FILE")]
    pub(super) cert: Option<PathBuf>,
    /// The file to write a new key to. Default: beside the certificate, ending in .key.
    #[arg(long, value_name = "FILE")]
    pub(super) new_key: Option<PathBuf>,
    /// Replace files that exist.
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
#[command(after_help = examples::CRL)]
pub(super) struct Crl {
    #[command(flatten)]
    pub(super) by: By,
    /// A certificate's file, or a serial number in hexadecimal, to revoke (repeatable).
    #[arg(long, value_name = "CERT_OR_SERIAL")]
    pub(super) revoke: Vec<String>,
    /// The list's file: extended where it exists, and lists of other CAs in it are kept.
    /// Default: beside the CA, NAME.crl.pem for NAME-ca.pem.
    #[arg(long = "crl", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// How long the list holds, in days; renew it before.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = days())]
    pub(super) days: u32,
}

#[derive(Debug, Args)]
#[command(after_help = examples::INSPECT)]
pub(super) struct Inspect {
    /// Certificates, keys, revocation lists (PEM), or SPIFFE trust bundles (JSON).
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// How it is written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ReportFormat,
}

#[derive(Debug, Args)]
#[command(after_help = examples::VERIFY)]
#[command(group = ArgGroup::new("trust").args(["config", "bundle"]).required(true))]
pub(super) struct Verify {
    /// The caller's certificate chain, leaf first.
    #[arg(long, value_name = "FILE")]
    pub(super) cert: PathBuf,
    /// Its private key, to check that they belong together.
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
    /// The gateway's configuration file, whose [[trust]] entries are asked.
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// A trust entry to ask instead: its name, its trust domain and its roots (repeatable).
    #[arg(long, value_name = "[NAME=]DOMAIN=FILE", value_parser = bundle)]
    pub(super) bundle: Vec<Bundle>,
    /// The revocation lists of a trust entry; its name may be left out where there is one bundle.
    #[arg(long, value_name = "[NAME=]FILE", conflicts_with = "config")]
    pub(super) crl: Vec<String>,
    /// Ask too whether this service lets the caller in: host:port, or a server name (SNI).
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "bundle")]
    pub(super) service: Option<String>,
    /// Ask as of this time (RFC 3339), such as 2031-01-31T12:00:00Z. Default: now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) at: Option<UnixTime>,
    /// How it is written.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ReportFormat,
}

/// The CA that issues.
#[derive(Debug, Args)]
pub(super) struct By {
    /// The CA's certificate, then those of the CAs above it, if any.
    #[arg(long, value_name = "FILE")]
    pub(super) ca: PathBuf,
    /// The CA's private key.
    #[arg(long, value_name = "FILE")]
    pub(super) ca_key: PathBuf,
}

impl By {
    pub(super) fn files(&self) -> AuthorityFiles {
        AuthorityFiles { certificate: self.ca.clone(), private_key: self.ca_key.clone() }
    }
}

/// Where a certificate and its key are written.
#[derive(Debug, Args)]
pub(super) struct To {
    /// The folder to write to.
    #[arg(long, value_name = "DIR", default_value = ".", conflicts_with_all = ["cert", "key"])]
    pub(super) out: PathBuf,
    /// The file to write the certificate to, instead.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// The file to write the private key to, instead.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// Replace files that exist.
    #[arg(long)]
    pub(super) force: bool,
}

impl To {
    pub(super) fn replacing(&self) -> Replacing {
        if self.force { Replacing::Files } else { Replacing::Nothing }
    }
}

impl Renew {
    pub(super) fn replacing(&self) -> Replacing {
        if self.force { Replacing::Files } else { Replacing::Nothing }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KeyAlgorithm {
    P256,
    P384,
    Ed25519,
    Rsa2048,
}

impl From<KeyAlgorithm> for Algorithm {
    fn from(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::P256 => Self::P256,
            KeyAlgorithm::P384 => Self::P384,
            KeyAlgorithm::Ed25519 => Self::Ed25519,
            KeyAlgorithm::Rsa2048 => Self::Rsa2048,
        }
    }
}

/// A trust entry on the command line.
#[derive(Debug, Clone)]
pub(super) struct Bundle {
    pub(super) name: TrustName,
    pub(super) domain: TrustDomain,
    pub(super) file: PathBuf,
}

/// A century, in days.
const LONGEST_DAYS: u64 = 36_500;

fn days() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=LONGEST_DAYS)
}

fn hours() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=LONGEST_DAYS * 24)
}

pub(super) fn of_days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 86_400)
}

pub(super) fn of_hours(hours: u32) -> Duration {
    Duration::from_secs(u64::from(hours) * 3600)
}

fn name(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if text.bytes().all(legal) && text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return Ok(text.to_owned());
    }
    Err("a name begins with a letter or digit and consists of letters, digits, '.', '-' and '_'; \
         for a file elsewhere use --cert and --key, or --out"
        .to_owned())
}

fn dns(text: &str) -> Result<String, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Err("this is an address; use --ip".to_owned());
    }
    NamePattern::parse(text).map(|name| name.to_string()).map_err(|error| error.to_string())
}

fn bundle(text: &str) -> Result<Bundle, String> {
    let parts: Vec<&str> = text.splitn(3, '=').collect();
    let (name, domain, file) = match parts.as_slice() {
        [name, domain, file] => (*name, *domain, *file),
        [domain, file] => (*domain, *domain, *file),
        _ => return Err("expected NAME=DOMAIN=FILE or DOMAIN=FILE".to_owned()),
    };
    if name.is_empty() || file.is_empty() {
        return Err("expected NAME=DOMAIN=FILE or DOMAIN=FILE, none of them empty".to_owned());
    }
    let domain = TrustDomain::parse(domain).map_err(|error| format!("{domain:?}: {error}"))?;
    Ok(Bundle { name: TrustName::new(name), domain, file: PathBuf::from(file) })
}

fn time(text: &str) -> Result<UnixTime, String> {
    humantime::parse_rfc3339(text)
        .ok()
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        .map(UnixTime::since_unix_epoch)
        .ok_or_else(|| "expected a time as in 2031-01-31T12:00:00Z".to_owned())
}
