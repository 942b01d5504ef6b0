//! HAProxy and nginx with a configuration of the test's, on ports that nobody else takes.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use landbridge_testkit::peer;
use landbridge_testkit::pki::Folder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UnixStream};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How long anything may take before the test fails; only a broken program takes that long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a program that can't wake us is asked.
const TICK: Duration = Duration::from_millis(10);

/// A port that is kept for a program: this socket shares it (SO_REUSEPORT) and never listens.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    _holder: TcpSocket,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let holder = TcpSocket::new_v4().unwrap();
        holder.set_reuseport(true).unwrap();
        holder.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { address: holder.local_addr().unwrap(), _holder: holder }
    }
}

/// A program that runs. Dropping it kills it; a test that fails prints what it said.
pub(crate) struct Program {
    child: Child,
    folder: Folder,
}

/// HAProxy, or `None` where it is absent.
pub(crate) fn haproxy() -> Option<PathBuf> {
    peer::find("haproxy", "apt-get install haproxy")
}

/// nginx, or `None` where it is absent.
pub(crate) fn nginx() -> Option<PathBuf> {
    peer::find("nginx", "apt-get install nginx-light libnginx-mod-stream")
}

impl Program {
    /// Starts HAProxy with one `listen` section, and waits until it serves. It logs to [`output`](Self::output).
    pub(crate) async fn haproxy(program: &Path, listen: &str) -> Self {
        let folder = Folder::default();
        let socket = folder.path().join("stats.sock");
        folder.write(
            "haproxy.cfg",
            &format!(
                "global\n  nbthread 1\n  maxconn 100\n  log stdout format raw local0\n  stats socket {}\n\
                 defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1m\n  timeout server 1m\n\
                 listen test\n{listen}\n",
                socket.display()
            ),
        );
        let mut haproxy = Self::start(Command::new(program).args(["-db", "-f", "haproxy.cfg"]), folder);
        // Who answers here has bound everything else.
        haproxy
            .until("HAProxy serves", async || {
                let mut stats = UnixStream::connect(&socket).await.ok()?;
                stats.write_all(b"show info\n").await.ok()?;
                stats.read_u8().await.ok()
            })
            .await;
        haproxy
    }

    /// Starts nginx with one stream server, and waits until it listens. The server may log by `told`, a
    /// format that the caller chooses, to [`output`](Self::output).
    pub(crate) async fn nginx(program: &Path, told: &str, server: &str) -> Self {
        const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
        let folder = Folder::default();
        let module =
            if Path::new(MODULE).exists() { format!("load_module {MODULE};") } else { String::new() };
        folder.write(
            "nginx.conf",
            &format!(
                "{module}\ndaemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr info;\n\
                 events {{ worker_connections 100; }}\n\
                 stream {{ log_format told '{told}'; access_log /dev/stdout told; server {{ proxy_half_close on; {server} }} }}\n"
            ),
        );
        let pid = folder.path().join("nginx.pid");
        let here = folder.path().to_path_buf();
        let mut command = Command::new(program);
        command.arg("-p").arg(&here).args(["-c", "nginx.conf", "-e", "stderr"]);
        let mut nginx = Self::start(&mut command, folder);
        // It is written when the sockets are open.
        nginx.until("nginx listens", async || pid.exists().then_some(())).await;
        nginx
    }

    fn start(command: &mut Command, folder: Folder) -> Self {
        let output = File::options().append(true).create(true).open(folder.path().join("output")).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.current_dir(folder.path()).spawn().unwrap();
        Self { child, folder }
    }

    /// What it has printed so far.
    fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("output")).unwrap()).into_owned()
    }

    /// Waits until it has printed a line that begins so, and returns the rest of the line.
    pub(crate) async fn says(&mut self, beginning: &str) -> String {
        let path = self.folder.path().join("output");
        self.until(beginning, async || {
            let said = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            // Without its line feed a line may not be whole yet.
            let whole = said.rsplit_once('\n')?.0.to_owned();
            whole.lines().find_map(|line| line.strip_prefix(beginning)).map(str::to_owned)
        })
        .await
    }

    async fn until<T>(&mut self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended before {what}: {}", ended.unwrap());
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- it said:\n{}---", self.output());
        }
    }
}
