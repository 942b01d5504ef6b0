//! What SIGHUP asks for: everything that files hold, read anew.

use std::path::Path;

use landbridge::Desired;
use landbridge::config::GatewayConfig;
use landbridge_admin::{Metrics, Update};
use tokio::sync::watch;

use crate::load::load;

/// Reads everything anew; one change if all of it is in order, none if not.
pub(crate) fn reload(
    path: &Path,
    running: &GatewayConfig,
    updates: &watch::Sender<Desired>,
    metrics: &Metrics,
) {
    match load(path) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                tracing::warn!("{warning}");
            }
            let mut fresh = loaded.config.gateway.clone();
            fresh.node.id.clone_from(&running.node.id);
            if fresh != *running {
                tracing::warn!(
                    "node, listener, tls, endpoints, timeouts and limits take effect at a restart; services, identities and trust are applied now"
                );
            }
            updates.send_replace(loaded.desired());
            metrics.config_file(Update::Applied);
            metrics.certificates(Update::Applied);
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
        }
    }
}
