//! Who the server is, as its certificates are renewed.

use std::future::pending;
use std::sync::Arc;

use anyhow::{Context, bail};
use landbridge::{Credentials, CredentialsError};
use landbridge_control_server::{Identity, Security};
use landbridge_core::config::fleet::ServerConfig;
use tokio::sync::watch;

use crate::load::Complaint;
use crate::run::refusal;
use crate::watch::{Change, Watch, units};

/// Who the server is and whom it believes, renewed as the files are.
pub(super) enum Renewed {
    Never,
    Watched(Watch, watch::Sender<Arc<Identity>>),
}

impl Renewed {
    pub(super) fn of(config: &ServerConfig) -> anyhow::Result<Self> {
        if config.identity.own.is_none() {
            return Ok(Self::Never);
        }
        let units = units(&config.identity, &config.trust);
        let credentials = match Credentials::load(&config.identity, &config.trust) {
            Ok(credentials) => Arc::new(credentials),
            Err(CredentialsError(problems)) => {
                let complaints: Vec<Complaint> = problems
                    .into_iter()
                    .map(|it| Complaint::File { path: it.path, message: it.message, fatal: true })
                    .collect();
                bail!(refusal(&complaints))
            }
        };
        let identity = identity(&credentials).context("there is no certificate")?;
        let watch = Watch::start(units, credentials).context("cannot watch the certificates")?;
        Ok(Self::Watched(watch, watch::Sender::new(Arc::new(identity))))
    }

    pub(super) fn security(&self) -> Security {
        match self {
            Self::Never => Security::Plain,
            Self::Watched(_, identity) => Security::Mtls(identity.subscribe()),
        }
    }

    pub(super) async fn next(&mut self) -> Change {
        match self {
            Self::Never => pending().await,
            Self::Watched(watch, _) => watch.next().await,
        }
    }

    pub(super) fn renew(&self, change: Change) {
        let Change { credentials, renewed, warnings, kept, expiring, .. } = change;
        for problem in &kept {
            tracing::error!("{}: {}; not renewed", problem.path.display(), problem.message);
        }
        for warning in &warnings {
            tracing::warn!("{}: {}", warning.path.display(), warning.message);
        }
        for line in &expiring {
            tracing::warn!("{line}");
        }
        if let (Self::Watched(_, sender), Some(credentials)) = (self, credentials)
            && let Some(identity) = identity(&credentials)
        {
            tracing::info!(what = renewed.join(", "), "renewed from changed files");
            sender.send_replace(Arc::new(identity));
        }
    }
}

fn identity(credentials: &Credentials) -> Option<Identity> {
    let key = credentials.own()?.clone();
    Some(Identity { key, trust: credentials.trust().clone() })
}
