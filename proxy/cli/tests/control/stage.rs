//! One folder with everything: what the server serves, what the gateway keeps, and the sockets that both listen on.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::process::Command;

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::{http_get, http_say};
use landbridge_testkit::process::{Process, until};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::World;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::LANDBRIDGE;

/// Grants the usual caller.
pub(crate) const SLEEP_MAY: &str =
    "{ id = 'spiffe://cluster.local/ns/default/sa/sleep', from = 'cluster-1' }";
/// Grants somebody else.
pub(crate) const OTHER_MAY: &str =
    "{ id = 'spiffe://cluster.local/ns/default/sa/other', from = 'cluster-1' }";

/// The scene before anything was started.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) echo: Server,
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) process: Process,
    admin: String,
}

/// A running server.
pub(crate) struct Serving {
    pub(crate) process: Process,
    admin: String,
}

/// The name that callers ask for.
pub(crate) fn sni(service: &str) -> String {
    format!("outbound_.8000_._.{service}.default.svc.cluster.local")
}

impl Stage {
    /// A folder with one service, `httpbin`, that lets the usual caller in.
    pub(crate) async fn set() -> Self {
        let stage = Self { world: World::default(), echo: Server::echo().await };
        for folder in ["fleet", "fleet/services", "fleet/trust", "state"] {
            fs::create_dir(stage.path(folder)).unwrap();
        }
        stage.edit("httpbin", &stage.service("httpbin", SLEEP_MAY));
        stage
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.world.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A service at the echo server.
    pub(crate) fn service(&self, name: &str, may: &str) -> String {
        let address = self.echo.address;
        format!(
            "[[service]]\nhost = '{name}.default.svc.cluster.local'\nport = 8000\nallow = [{may}]\nendpoints = [{{ address = '{address}' }}]\n"
        )
    }

    /// Writes a file of services, as a whole.
    pub(crate) fn edit(&self, name: &str, text: &str) {
        self.world.folder.write(&format!("{name}.new"), text);
        fs::rename(self.path(&format!("{name}.new")), self.path(&format!("fleet/services/{name}.toml")))
            .unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(&format!("fleet/services/{name}.toml"))).unwrap();
    }

    /// The gateway's file: everything on free ports, and a stream from the server's socket.
    pub(crate) fn file(control: &str, more: &str) -> String {
        let servers = if control.contains("servers") { "" } else { "servers = ['unix:server.sock']\n" };
        format!(
            "{}{}\n[control]\n{servers}snapshot = 'state/snapshot'\n{control}\n{more}\n",
            "[listener]\naddress = '127.0.0.1:0'\n[health]\naddress = '127.0.0.1:0'\n\
            [metrics]\naddress = '127.0.0.1:0'\n[admin]\naddress = 'unix:admin.sock'\n\
            [endpoints]\nallow_cidrs = ['127.0.0.0/8']\n",
            World::head(),
        )
    }

    /// Starts a gateway with the usual file.
    pub(crate) fn start(&self) -> Gateway {
        self.start_with(&Self::file("", ""))
    }

    pub(crate) fn start_with(&self, file: &str) -> Gateway {
        self.world.folder.write("gateway.toml", file);
        let mut command = Command::new(LANDBRIDGE);
        command.args(["run", "--workers", "1", "-c", "gateway.toml"]);
        let process = Process::start(&mut command, self.world.folder.path());
        Gateway { process, admin: format!("unix:{}", self.path("admin.sock")) }
    }

    /// Starts a server and waits until it listens.
    pub(crate) async fn serve(&self) -> Serving {
        self.serve_at(&["--address", "unix:server.sock"]).await
    }

    pub(crate) async fn serve_at(&self, arguments: &[&str]) -> Serving {
        let mut command = Command::new(LANDBRIDGE);
        command
            .args(["control", "serve", "--dir", "fleet", "--admin", "unix:server-admin.sock"])
            .args(arguments);
        let process = Process::start(&mut command, self.world.folder.path());
        let mut serving = Serving { process, admin: format!("unix:{}", self.path("server-admin.sock")) };
        // The last of its lines.
        let place = serving.process.place();
        let says = |what: &str| fs::read_to_string(&place).unwrap().contains(what).then_some(());
        serving
            .process
            .until("it listens", async || says("listening for gateways").and(says("listening for admin")))
            .await;
        serving
    }

    /// Asks a service for an echo, as the usual caller.
    pub(crate) async fn ask(&self, gateway: &Gateway, service: &str) -> Result<Vec<u8>, Saw> {
        self.world.sidecar().ask(gateway.address(), &sni(service), b"hello").await
    }

    pub(crate) async fn serves(&self, gateway: &Gateway, service: &str) -> bool {
        self.ask(gateway, service).await == Ok(b"hello".to_vec())
    }

    /// A live stream to a service, proven by one echoed byte.
    pub(crate) async fn stream(&self, gateway: &Gateway, service: &str) -> TlsStream<TcpStream> {
        let mut stream = self.world.sidecar().connect(gateway.address(), &sni(service)).await.unwrap();
        echoes(&mut stream).await;
        stream
    }
}

/// Sends a byte and has it back.
pub(crate) async fn echoes(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0; 1]).await.unwrap();
}

impl Gateway {
    /// Waits until what it said has this in it, `times` times.
    pub(crate) async fn says(&mut self, what: &str, times: usize) {
        let place = self.process.place();
        self.process
            .until(&format!("{what:?}"), async || {
                (fs::read_to_string(&place).unwrap().matches(what).count() >= times).then_some(())
            })
            .await;
    }

    /// Waits until it serves: all of its lines of the start are there.
    pub(crate) async fn listens(&mut self) {
        self.says("takes on", 1).await;
    }

    /// Waits until a change of the stream is in force, the first being that of the start.
    pub(crate) async fn in_force(&mut self, times: usize) {
        self.says("configuration of the control server in force", times).await;
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.place("listening for mTLS")
    }

    fn place(&self, what: &str) -> SocketAddr {
        let output = self.process.output();
        let line = output
            .lines()
            .find(|line| line.contains(what) && line.contains("address="))
            .expect("it was told");
        let (_, rest) = line.split_once("address=").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub(crate) fn metric(&self, series: &str) -> u64 {
        let (_, body) = http_get(self.place("listening for metrics"), "/metrics");
        let line = body.lines().find(|line| line.starts_with(series)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// The status of an answer of its administration.
    pub(crate) fn status(&self, path: &str) -> u16 {
        say(&self.admin, "GET", path).0
    }

    pub(crate) fn control(&self) -> Value {
        serde_json::from_str(&say(&self.admin, "GET", "/api/v1/control").1).unwrap()
    }

    /// As [`control`](Self::control), of a gateway that may be killed meanwhile.
    pub(crate) fn told(&self) -> Option<Value> {
        let mut unix = UnixStream::connect(self.admin.strip_prefix("unix:")?).ok()?;
        unix.write_all(asking("GET", "/api/v1/control").as_bytes()).ok()?;
        let mut answer = String::new();
        unix.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    /// Waits until this is so of what it tells of its stream.
    pub(crate) async fn until(&mut self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        until(what, async || Some(self.control()).filter(&so)).await
    }

    /// What a command of `landbridge control` prints about it.
    pub(crate) fn asked(&self, arguments: &[&str]) -> String {
        let output = Command::new(LANDBRIDGE)
            .arg("control")
            .args(arguments)
            .args(["--admin", &self.admin])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends it as the kernel would that is out of memory.
    pub(crate) fn kill(mut self) -> String {
        self.process.kill();
        self.process.output()
    }
}

impl Serving {
    pub(crate) fn told(&self) -> Value {
        serde_json::from_str(&say(&self.admin, "GET", "/api/v1/status").1).unwrap()
    }

    /// Waits until this is so of what it tells of its one gateway.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        until(what, async || self.told()["gateways"].get(0).cloned().filter(&so)).await
    }

    pub(crate) fn kill(mut self) {
        self.process.kill();
    }
}

fn say(admin: &str, method: &str, path: &str) -> (u16, String) {
    let (status, _, body) = http_say(admin, &asking(method, path));
    (status, body)
}

fn asking(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}
