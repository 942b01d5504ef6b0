//! `landbridge run`: one process, from its configuration file to its exit code.

mod control;
mod last_words;
mod progress;
mod workers;

use std::net::{self, SocketAddr};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow, bail};
use landbridge::config::EventFormat;
use landbridge::{Gateway, Inputs};
use landbridge_admin::{
    Administered, Counted, Metrics, Update, Watched, serve_admin, serve_health, serve_metrics,
};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};

use crate::access_log::AccessLog;
use crate::args::{LogFormat, Run};
use crate::banner::Listening;
use crate::clock::Clock;
use crate::harden::harden;
use crate::inherit::inherited;
use crate::listen::{listen, listen_for};
use crate::load::{Complaint, Loaded, load};
use crate::observers::Observers;
use crate::signals::{Request, Signals};
use crate::stream::{Stream, begin};
use crate::watch::Watch;
use crate::watchdog::Watchdog;
use crate::{banner, logging, version};

use self::control::Control;
use self::last_words::{LastWords, leave};
use self::workers::{bound, cores, spawn_workers};

/// Orders that wait for the control loop; who sends more waits too.
const ORDERS: usize = 16;

pub(crate) fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    let hardening = harden();
    let inherited = inherited()?;
    draw()?;
    let mut loaded = match load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(complaints) => bail!(refusal(&complaints)),
    };
    let log = &loaded.config.process.log;
    let format = match arguments.log_format {
        Some(LogFormat::Json) => EventFormat::Json,
        Some(LogFormat::Text) => EventFormat::Text,
        None => log.format,
    };
    // Dropped last, so that what is told on the way out is read.
    let events = logging::install(arguments.log_level.as_deref().unwrap_or(&log.level), format)?;
    hardening.tell();
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    loaded.config.gateway.node.id.get_or_insert_with(node_id);
    raise_open_files();

    // The control runtime: signals, reloads, health. Connections live on the workers' own.
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let words = runtime.block_on(serve(arguments, loaded, inherited, events.dropped()))?;
    Ok(if arguments.strict_exit && words.cut > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

async fn serve(
    arguments: &Run,
    loaded: Loaded,
    inherited: Vec<net::TcpListener>,
    events_dropped: Arc<AtomicU64>,
) -> anyhow::Result<LastWords> {
    let process = loaded.config.process.clone();
    let node = &loaded.config.gateway.node;
    let access_log = AccessLog::open(&process.log, node).context("cannot start the access log")?;
    let access_log = Arc::new(access_log);
    let mut signals = Signals::install().context("cannot listen for signals")?;

    let metrics = Arc::new(Metrics::new(version::BUILD, &node.cluster)?);
    metrics.config_file(Update::Applied);
    metrics.certificates(Update::Applied);

    let control = loaded.config.control.as_ref();
    let beginning = control.map(|control| begin(&loaded.config, control, loaded.desired()));
    let desired = beginning.as_ref().map_or_else(|| loaded.desired(), |beginning| beginning.desired.clone());
    let (updates, state) = watch::channel(desired.clone());
    let config = loaded.config.gateway.clone();
    let observer = Arc::new(Observers(vec![access_log.clone(), metrics.clone()]));
    let unbound = Gateway::new(config.clone(), Inputs { state, observer })?;
    let gateway = unbound.handle();
    let stream = match beginning {
        Some(beginning) => Some(Stream::start(beginning, gateway.clone(), updates.clone(), metrics.clone())?),
        None => None,
    };
    let (health, health_address) = bind(process.health, "health").await?;
    let (scrapes, metrics_address) = bind(process.metrics, "metrics").await?;
    let (admin, admin_place) = listen_for("administration", &process.admin).await?;
    let workers = arguments.workers.or(process.workers.and_then(NonZeroUsize::new)).unwrap_or_else(cores);
    let (watchdog, pulses) = Watchdog::new(workers, arguments.hang_after);
    let (hanging, clock) = (watchdog.hanging(), Clock::new());
    tokio::spawn(serve_health(health, gateway.clone(), hanging.clone()));
    let counted = counted(&access_log, clock.jumps(), &hanging, events_dropped);
    let watched = Watched { gateway: gateway.clone(), counted: Box::new(counted) };
    tokio::spawn(serve_metrics(scrapes, metrics.clone(), watched));
    let (orders, ordered) = mpsc::channel(ORDERS);
    let owner = rustix::process::geteuid().as_raw();
    let administered = Administered {
        gateway: gateway.clone(),
        build: version::BUILD,
        orders,
        control: stream.as_ref().map(|stream| stream.told.clone()),
        hanging,
        owner,
    };
    tokio::spawn(serve_admin(admin, administered));

    if !complete(stream.as_ref(), &mut signals).await {
        access_log.close();
        return Ok(LastWords::default());
    }
    let bound = bound(unbound, inherited).await?;
    let addresses = bound.local_addrs().to_vec();
    let stopping = watch::Sender::new(None);
    let finished = spawn_workers(bound, pulses, &stopping)?;
    tokio::spawn(watchdog.run());
    tokio::spawn(clock.run());

    let files = Watch::start(loaded.units, loaded.credentials).context("cannot watch the certificates")?;
    // Last, so that whoever waits for these lines finds all that there is to be.
    let listening =
        Listening { mtls: &addresses, health: health_address, metrics: metrics_address, admin: &admin_place };
    banner::print(&loaded.config, &desired, &gateway, &listening);
    let (file, log) = (arguments.config.clone(), access_log.clone());
    // With a stream, what the file says goes to the stream's owner, who puts both together.
    let updates = stream.as_ref().map_or(updates, |stream| stream.base.clone());
    let mut control =
        Control { file, config, gateway, updates, stream, metrics, files, log, stopping, ends: None };
    let words = control.until(finished, signals, ordered).await?;
    tracing::info!(open = words.open_at_start, ended = words.ended, cut = words.cut, "stopped");
    leave(&arguments.termination_log, &words);
    access_log.close();
    Ok(words)
}

/// Waits until there is a complete configuration; false if the process is asked to end before.
async fn complete(stream: Option<&Stream>, signals: &mut Signals) -> bool {
    let Some(stream) = stream else { return true };
    let mut complete = stream.complete.clone();
    if !*complete.borrow() {
        tracing::info!(
            "not ready and not listening for mTLS before a control server has sent a configuration"
        );
    }
    loop {
        tokio::select! {
            told = complete.wait_for(|complete| *complete) => return told.is_ok(),
            request = signals.next() => match request {
                Request::Drain | Request::DrainBriefly | Request::End => {
                    stream.ends();
                    return false;
                }
                Request::Reload | Request::Reopen => {}
            },
        }
    }
}

/// Draws from the kernel's randomness, without which there are no keys: where that fails, aws-lc ends the process
/// or says so, and better now than within the first handshake.
pub(crate) fn draw() -> anyhow::Result<()> {
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut [0]).map_err(|_| anyhow!("cannot draw random numbers, which keys are made of"))
}

/// What the process counts beside the gateway, whenever it is asked.
fn counted(
    log: &Arc<AccessLog>,
    jumps: Arc<AtomicU64>,
    hanging: &Arc<AtomicU64>,
    events_dropped: Arc<AtomicU64>,
) -> impl Fn() -> Counted + Send + Sync + use<> {
    let (log, hanging) = (log.clone(), hanging.clone());
    move || Counted {
        access_log_dropped: log.dropped(),
        events_dropped: events_dropped.load(Ordering::Relaxed),
        clock_jumps: jumps.load(Ordering::Relaxed),
        workers_hanging: hanging.load(Ordering::Relaxed),
    }
}

async fn bind(address: SocketAddr, what: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = listen(address).await.with_context(|| format!("cannot listen on {address} for {what}"))?;
    let address = listener.local_addr().with_context(|| format!("the listener for {what} has no address"))?;
    Ok((listener, address))
}

pub(crate) fn refusal(complaints: &[Complaint]) -> String {
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    format!("the configuration is not valid\n{}", lines.join("\n"))
}

pub(crate) fn node_id() -> String {
    #[expect(clippy::disallowed_methods, reason = "the binary may read its environment")]
    let pod = std::env::var("POD_NAME").ok().filter(|name| !name.is_empty());
    pod.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

/// Takes all the open files that the hard limit allows.
pub(crate) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, ?current, ?maximum, "cannot raise the limit of open files");
    }
}
