//! Files read anew: all of them at SIGHUP, certificates and trust whenever they change.

use std::path::Path;

use landbridge::Desired;
use landbridge::config::GatewayConfig;
use landbridge_admin::{Metrics, Reloaded, Update};
use tokio::sync::watch;

use crate::load::load;
use crate::watch::{Change, Watch};

/// What a reload does not change.
const LATER: &str = "node, listener, tls, endpoints, timeouts and limits take effect at a restart; services, identities and trust are applied now";

/// Reads everything anew; one change if all of it is in order, none if not.
///
/// `running` is what is in force until a restart.
pub(crate) fn reload(
    path: &Path,
    running: &GatewayConfig,
    updates: &watch::Sender<Desired>,
    metrics: &Metrics,
    watch: &mut Watch,
) -> Reloaded {
    match load(path) {
        Ok(loaded) => {
            let mut warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
            let mut fresh = loaded.config.gateway.clone();
            fresh.node.id.clone_from(&running.node.id);
            if fresh != *running {
                warnings.push(LATER.to_owned());
            }
            for warning in &warnings {
                tracing::warn!("{warning}");
            }
            watch.follow(loaded.units.clone(), loaded.credentials.clone());
            updates.send_replace(loaded.desired());
            metrics.config_file(Update::Applied);
            metrics.certificates(Update::Applied);
            Reloaded::Applied { warnings }
        }
        Err(complaints) => {
            for complaint in &complaints {
                tracing::error!("{complaint}");
            }
            tracing::error!("reload refused; the last good configuration keeps serving");
            metrics.config_file(Update::Refused);
            if complaints.iter().any(|complaint| complaint.is_about_another(path)) {
                metrics.certificates(Update::Refused);
            }
            Reloaded::Refused { problems: complaints.iter().map(ToString::to_string).collect() }
        }
    }
}

/// Applies what became of files that changed by themselves; the services stay as they are.
pub(crate) fn renew(change: Change, updates: &watch::Sender<Desired>, metrics: &Metrics) {
    let Change { credentials, renewed, warnings, kept, back, expiring, .. } = change;
    for what in &back {
        tracing::info!(what, "the files hold again what is in use");
    }
    for problem in &kept {
        tracing::error!(
            "{}: {}; not renewed, what was read before stays in use",
            problem.path.display(),
            problem.message
        );
    }
    if !kept.is_empty() {
        metrics.certificates(Update::Refused);
    }
    for warning in &warnings {
        tracing::warn!("{}: {}", warning.path.display(), warning.message);
    }
    if let Some(credentials) = credentials {
        tracing::info!(what = renewed.join(", "), "renewed from changed files");
        updates.send_modify(|desired| desired.credentials = credentials);
        metrics.certificates(Update::Applied);
    }
    for line in &expiring {
        tracing::warn!("{line}");
    }
}
