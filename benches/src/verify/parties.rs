//! Both parties of a check, from files and addresses.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use landbridge_streams::{
    Board, Caller, Endpoint, Load, Mode, Score, client_config, hello_config, server_config,
};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::net::TcpListener;
use tokio::process::Command;

/// What is read from files: PEM, all of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    /// The client's chain and key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
    /// Whom the client believes.
    pub(crate) roots: Option<PathBuf>,
    /// The endpoint's chain and key.
    pub(crate) endpoint: Option<(PathBuf, PathBuf)>,
}

/// A gateway with both its sides.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) gateway: SocketAddr,
    pub(crate) sni: ServerName<'static>,
    pub(crate) mode: Mode,
    pub(crate) listen: SocketAddr,
    pub(crate) run: u64,
    pub(crate) patience: Duration,
    files: Files,
    client: Arc<ClientConfig>,
    server: Option<Arc<ServerConfig>>,
}

impl Setup {
    /// Reads the files; the rest is as usual, to be changed at will.
    pub(crate) fn new(gateway: SocketAddr, sni: &str, mode: Mode, files: Files) -> anyhow::Result<Self> {
        let sni = ServerName::try_from(sni.to_owned()).with_context(|| format!("--sni {sni}"))?;
        let identity = match &files.client {
            Some((chain, key)) => Some((read(chain)?, read(key)?)),
            None => None,
        };
        let identity = identity.as_ref().map(|(chain, key)| (chain.as_str(), key.as_str()));
        let client = match &files.roots {
            Some(roots) => client_config(identity, &read(roots)?),
            // A ClientHello is all that this client ever says in TLS.
            None if mode == Mode::Raw => hello_config(),
            None => Err("whom to believe is not known: give --ca".to_owned()),
        };
        let server = match (&files.endpoint, mode) {
            (Some((chain, key)), Mode::Passthrough) => Some(server_config(&read(chain)?, &read(key)?)),
            (None, Mode::Passthrough) => {
                Some(Err("the endpoint has no TLS: give --endpoint-cert and --endpoint-key".to_owned()))
            }
            _ => None,
        };
        Ok(Self {
            gateway,
            sni,
            mode,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            run: 1,
            patience: Duration::from_secs(60),
            client: client.map_err(|error| anyhow!(error))?,
            server: server.transpose().map_err(|error| anyhow!(error))?,
            files,
        })
    }

    /// The caller, which is called by nobody yet, and where its ends tell each other.
    pub(crate) fn caller(&self, board: &Arc<Board>) -> Arc<Caller> {
        Arc::new(Caller {
            gateway: self.gateway,
            sni: self.sni.clone(),
            mode: self.mode,
            tls: self.client.clone(),
            run: self.run,
            patience: self.patience,
            board: board.clone(),
        })
    }

    /// The endpoint, which listens.
    pub(crate) async fn endpoint(&self, board: &Arc<Board>) -> anyhow::Result<Arc<Endpoint>> {
        let listener =
            TcpListener::bind(self.listen).await.with_context(|| format!("--listen {}", self.listen))?;
        let endpoint = match (self.mode, &self.server) {
            (Mode::Passthrough, Some(tls)) => {
                Endpoint::tls(listener, tls.clone(), board.clone(), self.patience)
            }
            (Mode::Raw, _) => Endpoint::raw(listener, board.clone(), self.patience),
            _ => Endpoint::plain(listener, board.clone(), self.patience),
        };
        Ok(Arc::new(endpoint?))
    }

    /// Both.
    pub(crate) async fn parties(&self) -> anyhow::Result<(Arc<Caller>, Arc<Endpoint>)> {
        let board = Arc::new(Board::default());
        Ok((self.caller(&board), self.endpoint(&board).await?))
    }

    /// Counts what the endpoint heard besides, and lets others listen where it did.
    pub(crate) async fn finish(&self, endpoint: Arc<Endpoint>, mut score: Score) -> anyhow::Result<Score> {
        let strays = endpoint.strays().into_iter().filter(landbridge_streams::Seen::is_clean).count();
        if strays > 0 {
            score.forth.falsely_clean += strays as u64;
            score.example(format!("{strays} streams ended cleanly at the endpoint within their header"));
        }
        let endpoint = Arc::into_inner(endpoint).context("the endpoint is still in use")?;
        endpoint.close().await;
        Ok(score)
    }

    /// This program again, with one role of this check.
    pub(crate) fn again(&self, role: &str, load: &Load) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["verify", "--stand", "--role", role, "--mode", self.mode.name()]);
        command.arg("--gateway").arg(self.gateway.to_string()).arg("--sni").arg(&*self.sni.to_str());
        command.arg("--listen").arg(self.listen.to_string()).arg("--seed").arg(self.run.to_string());
        command.arg("--connections").arg(load.connections.to_string());
        command.arg("--concurrency").arg(load.connections.to_string());
        command.arg("--bytes").arg(load.mean.to_string());
        command.arg("--patience").arg(humantime::format_duration(self.patience).to_string());
        command.args(load.scenarios.iter().flat_map(|scenario| ["--scenario", scenario.name()]));
        let Files { client, roots, endpoint } = &self.files;
        let mut file = |flag: &str, path: Option<&Path>| {
            command.args(path.map(|path| [flag.as_ref(), path.as_os_str()]).into_iter().flatten());
        };
        file("--client-cert", client.as_ref().map(|(chain, _)| chain.as_path()));
        file("--client-key", client.as_ref().map(|(_, key)| key.as_path()));
        file("--ca", roots.as_deref());
        file("--endpoint-cert", endpoint.as_ref().map(|(chain, _)| chain.as_path()));
        file("--endpoint-key", endpoint.as_ref().map(|(_, key)| key.as_path()));
        command.kill_on_drop(true);
        Ok(command)
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
