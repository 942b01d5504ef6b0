//! `landbridge control serve`: one process, from its files to its exit code.

mod renewed;

use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use landbridge::config::{AdminAddress, EventFormat, Problem, Severity};
use landbridge_admin::{Page, serve_pages};
use landbridge_control_server::{Folder, FolderWatch, Listener, Loaded, Nodes, Server, Store};
use landbridge_core::config::fleet::ServerConfig;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::args::Serve;
use super::configured;
use crate::args::LogFormat;
use crate::harden::harden;
use crate::listen::listen_for;
use crate::load::Complaint;
use crate::run::{draw, node_id, raise_open_files, refusal};
use crate::signals::{Request, Signals};
use crate::{logging, print, version};

use self::renewed::Renewed;

const HELP: &str = "landbridge control: GET only

/api/v1/status    the server and every connected gateway
/metrics          metrics, for Prometheus; also /stats/prometheus
/healthz/ready    200 as long as it serves; also /healthz/live
/help             this list
";

pub(super) fn serve(arguments: &Serve) -> anyhow::Result<ExitCode> {
    let hardening = harden();
    draw()?;
    let (mut config, warnings) = match configured(arguments.config.as_deref()) {
        Ok(configured) => configured,
        Err(complaints) => bail!(refusal(&complaints)),
    };
    if let Some(address) = &arguments.address {
        config.address.clone_from(address);
    }
    if let Some(admin) = &arguments.admin {
        config.admin.clone_from(admin);
    }
    let format = match arguments.log_format {
        Some(LogFormat::Json) => EventFormat::Json,
        Some(LogFormat::Text) => EventFormat::Text,
        None => config.format,
    };
    if let (AdminAddress::Tcp(address), None) = (&config.address, &config.identity.own)
        && !address.ip().to_canonical().is_loopback()
    {
        return Ok(print::misused(&format!(
            "{address} is not on this machine alone, and without [identity] there is no TLS; add --config"
        )));
    }
    // Dropped last, so that what is told on the way out is read.
    let _events = logging::install(arguments.log_level.as_deref().unwrap_or(&config.level), format)?;
    hardening.tell();
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    raise_open_files();

    let mut folder = Folder::new(&arguments.dir);
    let loaded = folder.load().with_context(|| format!("cannot list {}", arguments.dir.display()))?;
    if loaded.errors() > 0 {
        // With less than there was, gateways would lose what is merely unreadable; without a server they keep it.
        let complaints: Vec<Complaint> = loaded.problems.into_iter().map(Complaint::Text).collect();
        bail!("{}\nnothing is served before all of it is in order", refusal(&complaints));
    }
    let runtime = Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(run(config, folder, loaded))?;
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn run(config: ServerConfig, folder: Folder, loaded: Loaded) -> anyhow::Result<()> {
    let mut signals = Signals::install().context("cannot listen for signals")?;
    let mut credentials = Renewed::of(&config)?;
    let nodes = match (&config.nodes, &credentials) {
        (nodes, Renewed::Never) if nodes.is_empty() => Nodes::everybody(),
        (nodes, _) => {
            if nodes.is_empty() {
                tracing::warn!("there is no [[node]]: no gateway is let in");
            }
            Nodes::new(nodes.clone())
        }
    };
    let name = config.name.unwrap_or_else(node_id);
    let store = Arc::new(Store::default());
    let server = Server::new(&name, store.clone(), nodes);
    take(&server, &store, Ok(loaded));
    let mut folder = FolderWatch::start(folder).context("cannot watch the folder")?;

    let (listener, place) = listen_for("gateways", &config.address).await?;
    let (admin, admin_place) = listen_for("administration", &config.admin).await?;
    let told = server.clone();
    tokio::spawn(serve_pages(admin, move |path| page(&told, path)));
    let listener = match listener {
        landbridge_admin::Listener::Tcp(tcp) => Listener::Tcp(tcp),
        landbridge_admin::Listener::Unix(unix) => Listener::Unix(unix),
    };
    let (go, going) = oneshot::channel::<Duration>();
    let going = async {
        match going.await {
            Ok(spread) => spread,
            Err(_) => pending().await,
        }
    };
    let mut serving = tokio::spawn(server.clone().serve(listener, credentials.security(), going));
    tracing::info!(version = version::SHORT, name, resources = store.len(), "landbridge control");
    tracing::info!(address = %place, tls = !matches!(credentials, Renewed::Never), "listening for gateways");
    tracing::info!(address = %admin_place, "listening for administration: GET /help");
    let mut go = Some(go);
    loop {
        tokio::select! {
            served = &mut serving => {
                served.context("the server ended without a word")??;
                break;
            }
            state = folder.next() => take(&server, &store, state),
            change = credentials.next() => credentials.renew(change),
            request = signals.next() => match request {
                Request::Drain | Request::DrainBriefly => {
                    tracing::info!(gateways = server.roster().len(), "going; signal again to end at once");
                    if let Some(go) = go.take() {
                        // Who serves has ended otherwise.
                        let _ = go.send(config.spread);
                    }
                }
                Request::End => break,
                Request::Reload => folder.touch(),
                Request::Reopen => {}
            },
        }
    }
    tracing::info!("stopped");
    Ok(())
}

/// Puts what the folder says into the store, and tells what is new of it.
fn take(server: &Server, store: &Store, state: io::Result<Loaded>) {
    let Loaded { entries, problems } = match state {
        Ok(loaded) => loaded,
        Err(error) => {
            let problem = format!("the folder cannot be listed: {error}; what was served stays");
            if !server.note_problems(vec![of_folder(problem.clone())]).is_empty() {
                tracing::error!("{problem}");
            }
            return;
        }
    };
    for problem in server.note_problems(problems) {
        match problem.severity {
            Severity::Error => tracing::error!("{problem}; what it was before stays"),
            Severity::Warning => tracing::warn!("{problem}"),
        }
    }
    let changes = store.replace(entries);
    if changes > 0 {
        tracing::info!(changes, resources = store.len(), gateways = server.roster().len(), "changed");
    }
}

fn of_folder(message: String) -> Problem {
    let (file, key, severity) = (String::new(), String::new(), Severity::Error);
    Problem { file, severity, line: 1, column: 1, key, service: None, message, help: None }
}

fn page(server: &Server, path: &str) -> Option<Page> {
    match path {
        "/" | "/help" => Some(Page::text(HELP)),
        "/api/v1/status" => Some(Page::json(format!("{:#}\n", server.told()))),
        "/metrics" | "/stats/prometheus" => Some(Page::metrics(server.metrics())),
        "/healthz/ready" | "/ready" => Some(Page::text("ready\n")),
        "/healthz/live" | "/live" => Some(Page::text("live\n")),
        _ => None,
    }
}
