//! Changes of a file in a folder that a real control server serves.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use landbridge_testkit::command::Running;
use serde_json::json;

use super::Arguments;
use super::changes::Changes;
use super::figures::Figures;
use super::probe::{Door, Endpoints};
use super::scene::{CALLED, Scene, address, host};
use crate::process::resident_of_all;

const STEP: &str = "folder";
const REST: Duration = Duration::from_millis(300);
/// Services of one file.
const FILE: usize = 1000;

/// A control server. It is killed when this is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn measure(program: &str, arguments: &Arguments, figures: &mut Figures) -> anyhow::Result<()> {
    let endpoints = Endpoints::start()?;
    let [(first, letter), _] = endpoints.each;
    let scene = Scene::set();
    let fleet = scene.folder.path().join("fleet");
    write(&fleet, arguments, first)?;
    figures.count(STEP, "services", arguments.fewer_services as u64);
    let since = Instant::now();
    let (server, listens) = serve(program, &fleet)?;
    figures.time(STEP, "start of the control server, to listening", since.elapsed());
    scene.server_at(listens);
    let gateway = Running::start(program, &scene.configuration(), &[]);
    let door = Door::new(gateway.address, CALLED)?;
    door.reaches(letter, Instant::now())?;
    figures.bytes(STEP, "resident, control server", resident_of_all(server.0.id())?);
    let count = arguments.changes.div_ceil(10).next_multiple_of(2);
    Changes { step: STEP, door: &door, endpoints: &endpoints, count, rest: REST }.measure(
        figures,
        |address| {
            let since = Instant::now();
            write_called(&fleet, address)?;
            Ok(since)
        },
    )
}

fn serve(program: &str, fleet: &Path) -> anyhow::Result<(Server, SocketAddr)> {
    let mut child = Command::new(program)
        .args(["control", "serve", "--address", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--dir"])
        .arg(fleet)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let events = child.stderr.take().context("it has no events")?;
    let server = Server(child);
    let mut events = BufReader::new(events).lines();
    let line =
        events.by_ref().find(|line| line.as_ref().is_ok_and(|line| line.contains("listening for gateways")));
    let line = line.context("the control server has ended")??;
    let (_, rest) = line.split_once("address=").context("expected an address")?;
    let address = rest.split_whitespace().next().unwrap_or_default().parse()?;
    // So that it never waits for a reader.
    std::thread::spawn(move || events.for_each(drop));
    Ok((server, address))
}

fn write(fleet: &Path, arguments: &Arguments, called: SocketAddr) -> anyhow::Result<()> {
    fs::create_dir_all(fleet.join("services"))?;
    fs::create_dir_all(fleet.join("endpoints"))?;
    let numbers: Vec<usize> = (0..arguments.fewer_services).collect();
    for (file, numbers) in numbers.chunks(FILE).enumerate() {
        let mut text = String::new();
        for &number in numbers {
            let listed: Vec<String> = (0..arguments.endpoints)
                .map(|nth| format!("{{ address = \"{}\" }}", address(number, nth)))
                .collect();
            write!(
                text,
                "[[service]]\nhost = \"{}\"\nport = 80\nallow = [\"spiffe://cluster.local/ns/bench/sa/caller-{number}\"]\nendpoints = [{}]\n",
                host(number),
                listed.join(", ")
            )?;
        }
        fs::write(fleet.join(format!("services/{file}.toml")), text)?;
    }
    let text = format!("[[service]]\nsni = [\"{CALLED}\"]\nmode = \"passthrough\"\n");
    fs::write(fleet.join("services/called.toml"), text)?;
    write_called(fleet, called)
}

/// Replaces the file of the endpoints by rename.
fn write_called(fleet: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let text = json!({ "service": CALLED, "endpoints": [{ "address": address.to_string() }] }).to_string();
    let fresh = fleet.join("endpoints/.called");
    fs::write(&fresh, text)?;
    Ok(fs::rename(fresh, fleet.join("endpoints/called.json"))?)
}
