//! One file, checked by the rules of the gateway's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landbridge_certs::TrustEntry;
use landbridge_control_client::wire::{Kind, Name};
use landbridge_core::config::fleet::{self, Checked, OfferedPeer, OfferedPolicy, OfferedService};
use landbridge_core::config::{Problem, Problems, Severity, Source, TrustFiles};
use landbridge_core::sni::NamePattern;
use rustls_pki_types::UnixTime;
use serde_json::{Value, json};

use super::{Part, json};
use crate::resource::Audience;

/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) found: Vec<Arc<Found>>,
    /// The files that it names.
    pub(super) names: Vec<PathBuf>,
    pub(super) problems: Vec<Problem>,
}

/// One thing that a file says.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) name: Name,
    /// What gateways are told; of a service without its endpoints, of a policy without its services.
    pub(super) spec: Value,
    pub(super) more: More,
    /// The line in its file.
    pub(super) line: usize,
}

/// What is known of it besides.
#[derive(Debug, PartialEq)]
pub(super) enum More {
    Service { audience: Audience, endpoints: Option<Value>, routes: Vec<NamePattern> },
    Policy { services: Vec<Name> },
    Nothing,
}

impl Found {
    /// What it is called in its file.
    pub(super) fn id(&self) -> (Kind, &Name) {
        (self.kind, &self.name)
    }
}

/// Reads a file.
pub(super) fn read(part: Part, path: &Path) -> Read {
    let text = match text(path) {
        Ok(text) => text,
        Err(message) => return Read { problems: vec![whole(path, message)], ..Read::default() },
    };
    let source = Source::file(path);
    match part {
        Part::Services => services(&text, &source, fleet::services(&text, &source)),
        Part::Policies => policies(&text, &source, fleet::policies(&text, &source)),
        Part::Trust => trust(&text, fleet::trust(&text, &source), path),
        Part::Peers => peers(&text, fleet::peers(&text, &source)),
        Part::Endpoints => json::endpoints(&text, &source.name),
    }
}

/// A problem of a file as a whole.
pub(super) fn whole(path: &Path, message: String) -> Problem {
    at(&path.display().to_string(), 1, String::new(), message)
}

/// An error in this line.
pub(super) fn at(file: &str, line: usize, key: String, message: String) -> Problem {
    Problem {
        file: file.to_owned(),
        severity: Severity::Error,
        line,
        column: 1,
        key,
        service: None,
        message,
        help: None,
    }
}

fn text(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if !size.is_file() {
        return Err("is no regular file".to_owned());
    }
    if size.len() > LARGEST {
        return Err(format!("is larger than {} MiB; divide it", LARGEST >> 20));
    }
    let bytes = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 text (byte {})", error.utf8_error().valid_up_to() + 1))
}

fn services(text: &str, source: &Source, Checked { good, problems }: Checked<OfferedService>) -> Read {
    let written = tables(text, "service");
    let mut read = Read { problems: all(problems), ..Read::default() };
    for OfferedService { index, service, namespace, labels, exposure } in good {
        let line = line_of(text, "service", index);
        let Ok(name) = Name::parse(&service.name) else {
            let message = format!("{:?} is too long for the name of a resource", service.name);
            read.problems.push(at(&source.name, line, format!("service[{index}]"), message));
            continue;
        };
        let Some(Value::Object(mut spec)) = written.get(index).cloned() else { continue };
        let endpoints = spec.remove("endpoints").map(|list| json!({ "endpoints": list }));
        if let Some(exposure) = exposure {
            spec.insert("exposure".to_owned(), json!(exposure));
        }
        let routes = service.routes().unwrap_or_default().into_iter().map(|(pattern, _)| pattern).collect();
        let more = More::Service { audience: Audience::Service { namespace, labels }, endpoints, routes };
        read.found.push(Arc::new(Found { kind: Kind::Service, name, spec: Value::Object(spec), more, line }));
    }
    read
}

fn policies(text: &str, source: &Source, Checked { good, problems }: Checked<OfferedPolicy>) -> Read {
    let written = tables(text, "policy");
    let mut read = Read { problems: all(problems), ..Read::default() };
    for OfferedPolicy { index, name, services } in good {
        let line = line_of(text, "policy", index);
        let allow = written.get(index).and_then(|table| table.get("allow")).cloned().unwrap_or_default();
        let services: Result<Vec<Name>, _> = services.iter().map(|service| Name::parse(service)).collect();
        match (Name::parse(&name), services) {
            (Ok(name), Ok(services)) => read.found.push(Arc::new(Found {
                kind: Kind::Policy,
                name,
                spec: json!({ "allow": allow }),
                more: More::Policy { services },
                line,
            })),
            (Err(error), _) | (_, Err(error)) => {
                let key = format!("policy[{index}].name");
                read.problems.push(at(&source.name, line, key, error.to_string()));
            }
        }
    }
    read
}

fn trust(text: &str, Checked { good, problems }: Checked<TrustFiles>, path: &Path) -> Read {
    let mut read = Read { problems: all(problems), ..Read::default() };
    for (index, files) in good.into_iter().enumerate() {
        let line = line_of(text, "trust", index);
        let problem =
            |message| at(&path.display().to_string(), line, format!("trust.{}", files.name), message);
        read.names.extend([Some(files.bundle.clone()), files.crl.clone()].into_iter().flatten());
        match bundle(&files) {
            Ok((name, spec, warnings)) => {
                let warnings = warnings.into_iter().map(problem);
                read.problems.extend(warnings.map(|it| Problem { severity: Severity::Warning, ..it }));
                let (kind, more) = (Kind::TrustBundle, More::Nothing);
                read.found.push(Arc::new(Found { kind, name, spec, more, line }));
            }
            Err(message) => read.problems.push(problem(message)),
        }
    }
    read
}

/// The bundle itself, once it is known to be one.
fn bundle(files: &TrustFiles) -> Result<(Name, Value, Vec<String>), String> {
    let entry = TrustEntry::load(files, UnixTime::now()).map_err(|error| error.to_string())?;
    let name = Name::parse(files.name.as_str()).map_err(|error| error.to_string())?;
    let mut spec = json!({ "domain": files.domain.as_str(), "bundle": text(&files.bundle)? });
    if let (Some(path), Some(spec)) = (&files.crl, spec.as_object_mut()) {
        spec.insert("crl".to_owned(), json!(text(path)?));
    }
    Ok((name, spec, entry.warnings().iter().map(ToString::to_string).collect()))
}

fn peers(text: &str, Checked { good, problems }: Checked<OfferedPeer>) -> Read {
    let mut read = Read { problems: all(problems), ..Read::default() };
    for (index, OfferedPeer { name, trust, gateways, network }) in good.into_iter().enumerate() {
        // The name was held to the same rule.
        let Ok(name) = Name::parse(&name) else { continue };
        let spec = json!({ "trust": trust, "gateways": gateways, "network": network });
        let line = line_of(text, "peer", index);
        read.found.push(Arc::new(Found { kind: Kind::Peer, name, spec, more: More::Nothing, line }));
    }
    read
}

fn all(problems: Problems) -> Vec<Problem> {
    problems.into_iter().collect()
}

/// The tables of a list as JSON, in their order.
fn tables(text: &str, key: &str) -> Vec<Value> {
    let document: toml::Table = toml::from_str(text).unwrap_or_default();
    let listed = document.get(key).and_then(toml::Value::as_array);
    listed.into_iter().flatten().map(|table| serde_json::to_value(table).unwrap_or_default()).collect()
}

/// The line in which the table of this index begins, or the first if that can't be seen.
fn line_of(text: &str, key: &str, index: usize) -> usize {
    let title = format!("[[{key}]]");
    let begins = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(&title));
    begins.map(|(line, _)| line + 1).nth(index).unwrap_or(1)
}
