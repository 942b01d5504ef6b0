//! `[runtime]`, `[health]`, `[metrics]`, `[admin]` and `[log]`.

use std::path::Path;

use super::{section, text};
use crate::config::findings::{Complaint, Findings, Place};
use crate::config::raw::{AutoOr, RawAccessFormat, RawAddress, RawEventFormat, RawLog, RawRuntime};
use crate::config::read::Field;
use crate::config::{AccessFormat, AccessTarget, AdminAddress, EventFormat, LogConfig, ProcessConfig};

/// The sections that only the process needs.
pub(super) struct RawProcess {
    pub(super) runtime: Option<Field<RawRuntime>>,
    pub(super) health: Option<Field<RawAddress>>,
    pub(super) metrics: Option<Field<RawAddress>>,
    pub(super) admin: Option<Field<RawAddress>>,
    pub(super) log: Option<Field<RawLog>>,
}

/// What the process needs, and where its addresses come from.
pub(super) struct Process {
    pub(super) config: ProcessConfig,
    pub(super) health: Origin,
    pub(super) metrics: Origin,
    pub(super) admin: Origin,
}

/// Where an address comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    /// It is the default.
    Default,
    /// It is written here.
    Written(Place),
    /// What is written is no address, which is noted.
    Refused,
}

pub(super) fn process(raw: RawProcess, dir: &Path, found: &mut Findings) -> Process {
    let default = ProcessConfig::default();
    let listen = |text: &String| text::listen_address(text);
    let (health, health_origin) = address(raw.health, default.health, listen, found);
    let (metrics, metrics_origin) = address(raw.metrics, default.metrics, listen, found);
    let (admin, admin_origin) =
        address(raw.admin, default.admin.clone(), |text| admin_address(text, dir), found);
    if let (Origin::Written(place), AdminAddress::Tcp(address)) = (admin_origin, &admin)
        && !address.ip().to_canonical().is_loopback()
    {
        let complaint = "nobody is authenticated over TCP, and whoever reaches this address may read who is connected; use a loopback address or \"unix:/path\"";
        found.warning(place, Complaint::new(complaint));
    }
    let workers = section(raw.runtime).workers.and_then(|field| field.value);
    Process {
        config: ProcessConfig {
            workers: workers.and_then(|AutoOr(workers)| usize::try_from(workers?).ok()),
            health,
            metrics,
            admin,
            log: log(raw.log, dir, found),
        },
        health: health_origin,
        metrics: metrics_origin,
        admin: admin_origin,
    }
}

fn address<T>(
    raw: Option<Field<RawAddress>>,
    default: T,
    meaning: impl FnOnce(&String) -> Result<T, Complaint>,
    found: &mut Findings,
) -> (T, Origin) {
    let Some(field) = section(raw).address else {
        return (default, Origin::Default);
    };
    match found.meaning(Some(&field), meaning) {
        Some(address) => (address, Origin::Written(field.place)),
        None => (default, Origin::Refused),
    }
}

pub(super) fn admin_address(text: &str, dir: &Path) -> Result<AdminAddress, Complaint> {
    match text.strip_prefix("unix:") {
        Some(path) => text::path(path, dir).map(AdminAddress::Unix),
        None => text.parse().map(AdminAddress::Tcp).map_err(|_| {
            Complaint::new(format!(
                "expected an address such as \"127.0.0.1:15000\", or \"unix:/path\", found {text:?}"
            ))
        }),
    }
}

fn log(raw: Option<Field<RawLog>>, dir: &Path, found: &mut Findings) -> LogConfig {
    let raw = section(raw);
    let default = LogConfig::default();
    let format = raw.format.and_then(|field| field.value).map(|format| match format {
        RawEventFormat::Text => EventFormat::Text,
        RawEventFormat::Json => EventFormat::Json,
    });
    let access_format = raw.access_format.and_then(|field| field.value).map(|format| match format {
        RawAccessFormat::Json => AccessFormat::Json,
        RawAccessFormat::Asm => AccessFormat::Asm,
        RawAccessFormat::Text => AccessFormat::Text,
    });
    LogConfig {
        level: found.meaning(raw.level.as_ref(), text::not_empty).unwrap_or(default.level),
        format: format.unwrap_or_default(),
        access: found.meaning(raw.access.as_ref(), |text| access(text, dir)).unwrap_or_default(),
        access_format: access_format.unwrap_or_default(),
    }
}

fn access(text: &str, dir: &Path) -> Result<AccessTarget, Complaint> {
    match text {
        "stdout" => Ok(AccessTarget::Stdout),
        "stderr" => Ok(AccessTarget::Stderr),
        "off" => Ok(AccessTarget::Off),
        "" => {
            Err(Complaint::new("expected \"stdout\", \"stderr\", \"off\" or the path of a file, found \"\""))
        }
        file => text::path(file, dir).map(AccessTarget::File),
    }
}
