//! How a gateway with a stream begins: with what was kept on disk, if it can be used.

use std::sync::{Arc, Mutex};

use landbridge::Desired;
use landbridge::config::{Config, ControlConfig};
use landbridge_control_client::Held;
use landbridge_control_client::effective::Effective;

use super::disk::Disk;
use super::merged::{Entries, base, merged};

/// Everything that a stream's owner begins with.
pub(crate) struct Beginning {
    /// What the gateway serves first.
    pub(crate) desired: Desired,
    /// Whether that is a complete configuration, or the file's part alone.
    pub(crate) complete: bool,
    pub(super) config: Arc<Config>,
    pub(super) control: ControlConfig,
    pub(super) base: Desired,
    pub(super) held: Arc<Mutex<Held>>,
    pub(super) effective: Effective,
    pub(super) entries: Entries,
    pub(super) disk: Arc<Disk>,
}

/// Reads what was kept on disk and puts it on top of what the file says.
///
/// What can't be used is told in the log: then the generation before it, or nothing, is begun with.
pub(crate) fn begin(config: &Config, control: &ControlConfig, file: Desired) -> Beginning {
    let disk = Disk::open(&control.snapshot);
    let held = disk.load();
    let complete = held.position().is_some();
    let entries = Entries::default();
    let share = f64::from(control.removals_percent) / 100.0;
    let nothing = Effective::new(base(config, control, &file), share);
    let (mut effective, verdict) =
        nothing.rebase(base(config, control, &file), &held, &|name, spec| entries.check(name, spec));
    for refused in &verdict.refused {
        tracing::error!(
            kind = %refused.kind, name = %refused.name, field = refused.field, code = refused.code, text = refused.text,
            "a kept resource is not in force"
        );
    }
    effective.accept(verdict);
    let desired = merged(&file, &effective, &entries);
    Beginning {
        desired,
        complete,
        config: Arc::new(config.clone()),
        control: control.clone(),
        base: file,
        held: Arc::new(Mutex::new(held)),
        effective,
        entries,
        disk: Arc::new(disk),
    }
}
