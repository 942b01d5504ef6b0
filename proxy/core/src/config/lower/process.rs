//! `[runtime]`, `[health]`, `[metrics]`, `[admin]` and `[log]`.

use std::net::SocketAddr;
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

/// What the process needs, and where its addresses are written.
pub(super) struct Process {
    pub(super) config: ProcessConfig,
    pub(super) places: Places,
}

/// Where addresses are written; `None` where one is the default.
pub(super) struct Places {
    pub(super) health: Option<Place>,
    pub(super) metrics: Option<Place>,
    pub(super) admin: Option<Place>,
}

pub(super) fn process(raw: RawProcess, dir: &Path, found: &mut Findings) -> Process {
    let default = ProcessConfig::default();
    let health = section(raw.health).address;
    let metrics = section(raw.metrics).address;
    let admin = section(raw.admin).address;
    let workers = section(raw.runtime).workers.and_then(|field| field.value);
    let mut listen = |field: Option<&Field<String>>, default: SocketAddr| {
        found.meaning(field, |text| text::listen_address(text)).unwrap_or(default)
    };
    let config = ProcessConfig {
        workers: workers.and_then(|AutoOr(workers)| usize::try_from(workers?).ok()),
        health: listen(health.as_ref(), default.health),
        metrics: listen(metrics.as_ref(), default.metrics),
        admin: found.meaning(admin.as_ref(), |text| admin_address(text, dir)).unwrap_or(default.admin),
        log: log(raw.log, dir, found),
    };
    let place = |field: Option<Field<String>>| field.map(|field| field.place);
    Process { config, places: Places { health: place(health), metrics: place(metrics), admin: place(admin) } }
}

fn admin_address(text: &str, dir: &Path) -> Result<AdminAddress, Complaint> {
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
        // Refused as not available, wherever it is written.
        RawAccessFormat::Asm | RawAccessFormat::Text => AccessFormat::default(),
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
