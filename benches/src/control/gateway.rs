//! One gateway with all services: what it takes, how soon a change counts, how it comes back and how it starts.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use landbridge_control_server::Store;
use landbridge_testkit::command::Running;

use super::Arguments;
use super::changes::Changes;
use super::figures::Figures;
use super::probe::{Door, Endpoints, rest};
use super::scene::{ANYWHERE, CALLED, Scene, called_at, store};
use super::serving::Serving;
use crate::process::{cpu, resident_of_all};

const STEP: &str = "gateway";
/// How long a change is left alone: longer than the pace of a gateway's swaps, and of no simple ratio to its saves.
const REST: Duration = Duration::from_millis(137);
/// How long is waited for what should have come long ago.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn measure(program: &str, arguments: &Arguments, figures: &mut Figures) -> anyhow::Result<()> {
    let endpoints = Endpoints::start()?;
    let [(first, letter), _] = endpoints.each;
    let bare = bare_resident(program, &endpoints)?;

    let kept = store(arguments.services, arguments.endpoints, first)?;
    figures.count(STEP, "services", arguments.services as u64);
    figures.count(STEP, "endpoints of each", arguments.endpoints as u64);
    let scene = Scene::set();
    let serving = Serving::start(kept.clone(), ANYWHERE)?;
    scene.server_at(serving.address);
    let mut gateway = Running::start(program, &scene.configuration(), &[]);
    applied(&mut gateway, figures)?;
    saved(&scene.snapshot())?;
    figures.time(STEP, "full apply: processor time of the gateway, saving included", cpu(gateway.id())?);
    let resident = resident_of_all(gateway.id())?;
    figures.bytes(STEP, "resident", resident);
    let more = resident.saturating_sub(bare);
    figures.bytes(STEP, "resident for each service with its endpoints", more / arguments.services as u64);

    let door = Door::new(gateway.address, CALLED)?;
    door.reaches(letter, Instant::now())?;
    let before = cpu(gateway.id())?;
    // An even number, so that the gateway ends where it began.
    let count = arguments.changes.next_multiple_of(2);
    Changes { step: STEP, door: &door, endpoints: &endpoints, count, rest: REST }.measure(
        figures,
        |address| {
            let edit = called_at(address)?;
            let since = Instant::now();
            kept.apply([edit]);
            Ok(since)
        },
    )?;
    let spent = cpu(gateway.id())?.saturating_sub(before) / u32::try_from(count)?;
    figures.time(STEP, "processor time of the gateway for each change, with streams and saves", spent);

    // The gateway is at the first endpoint again, so that a fresh store has nothing that it lacks.
    let again = || store(arguments.services, arguments.endpoints, first);
    come_back(arguments.rounds, figures, (serving, kept), again)?;
    starts(program, arguments.rounds, figures, (&scene, gateway))
}

/// What a gateway with next to nothing has resident.
fn bare_resident(program: &str, endpoints: &Endpoints) -> anyhow::Result<u64> {
    let [(first, letter), _] = endpoints.each;
    let scene = Scene::set();
    let serving = Serving::start(store(0, 0, first)?, ANYWHERE)?;
    scene.server_at(serving.address);
    let gateway = Running::start(program, &scene.configuration(), &[]);
    Door::new(gateway.address, CALLED)?.reaches(letter, Instant::now())?;
    resident_of_all(gateway.id())
}

/// Waits for the first update, and notes how long that took by the gateway's own events.
fn applied(gateway: &mut Running, figures: &mut Figures) -> anyhow::Result<()> {
    const IN_FORCE: &str = "configuration of the control server in force";
    if !gateway.said().iter().any(|line| line.contains(IN_FORCE)) {
        gateway.event(IN_FORCE);
    }
    figures.time(STEP, "full apply: processor time of the gateway, from its start", cpu(gateway.id())?);
    let at = |words: &str| -> anyhow::Result<SystemTime> {
        let line = gateway.said().iter().find(|line| line.contains(words)).context("an event is missing")?;
        let stamp = line.split_whitespace().next().context("an event begins with its time")?;
        humantime::parse_rfc3339(stamp).with_context(|| format!("no time: {line}"))
    };
    let took = at(IN_FORCE)?.duration_since(at("connected to a control server")?)?;
    figures.time(STEP, "full apply: from welcome to in force", took);
    Ok(())
}

/// Waits until something is on disk.
fn saved(snapshot: &Path) -> anyhow::Result<()> {
    let since = Instant::now();
    while !snapshot.exists() {
        ensure!(since.elapsed() < PATIENCE, "nothing is saved after {PATIENCE:?}");
        rest(Duration::from_millis(10));
    }
    Ok(())
}

/// Lets the server end and begin anew with nothing changed: with its log, and with a log of its own.
fn come_back(
    rounds: usize,
    figures: &mut Figures,
    (mut serving, kept): (Serving, Arc<Store>),
    again: impl Fn() -> anyhow::Result<Arc<Store>>,
) -> anyhow::Result<()> {
    let address = serving.address;
    for _ in 0..rounds {
        drop(serving);
        serving = Serving::start(kept.clone(), address)?;
        answered(&serving, figures, "coming back by number")?;
    }
    drop(kept);
    for _ in 0..rounds {
        drop(serving);
        serving = Serving::start(again()?, address)?;
        answered(&serving, figures, "coming back by digests")?;
    }
    Ok(())
}

fn answered(serving: &Serving, figures: &mut Figures, what: &str) -> anyhow::Result<()> {
    let since = Instant::now();
    while serving.metric("landbridge_control_acks_total")? == 0 {
        ensure!(since.elapsed() < PATIENCE, "no gateway has come back after {PATIENCE:?}");
        rest(Duration::from_millis(10));
    }
    let sent = serving.metric("landbridge_control_sent_bytes_total")?;
    let received = serving.metric("landbridge_control_received_bytes_total")?;
    figures.bytes(STEP, &format!("{what}: lines of the server"), sent);
    figures.bytes(STEP, &format!("{what}: lines of the gateway"), received);
    Ok(())
}

/// Ends the gateway and starts it again, while there is no server.
fn starts(
    program: &str,
    rounds: usize,
    figures: &mut Figures,
    (scene, mut gateway): (&Scene, Running),
) -> anyhow::Result<()> {
    for _ in 0..rounds {
        gateway.signal("TERM");
        gateway.ended();
        let since = Instant::now();
        gateway = Running::start(program, &scene.configuration(), &[]);
        figures.time(STEP, "start from disk without a server, to listening", since.elapsed());
        figures.time(STEP, "start from disk: processor time", cpu(gateway.id())?);
    }
    Ok(())
}
