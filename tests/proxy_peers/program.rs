//! HAProxy and nginx with a configuration of the test's, on ports that nobody else takes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use landbridge_testkit::peer;
use landbridge_testkit::pki::Folder;
use landbridge_testkit::process::Process;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UnixStream};

/// Where Debian puts it.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

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

/// A program that runs until this is dropped.
pub(crate) struct Program {
    process: Process,
    /// Where it logs, if not to its output.
    log: Option<PathBuf>,
    _folder: Folder,
}

/// HAProxy, or `None` where it is absent.
pub(crate) fn haproxy() -> Option<PathBuf> {
    peer::find("haproxy", "apt-get install haproxy")
}

/// nginx with its stream module, or `None` where either is absent.
pub(crate) fn nginx() -> Option<PathBuf> {
    let program = peer::find("nginx", "apt-get install nginx-light libnginx-mod-stream")?;
    if !Path::new(NGINX_STREAM).exists() {
        peer::find(NGINX_STREAM, "apt-get install libnginx-mod-stream")?;
    }
    Some(program)
}

impl Program {
    /// Starts HAProxy with one `listen` section, and waits until it serves.
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
        let mut process =
            Process::start(Command::new(program).args(["-db", "-f", "haproxy.cfg"]), folder.path());
        // Who answers here has bound everything else.
        let serves = async || {
            let mut stats = UnixStream::connect(&socket).await.ok()?;
            stats.write_all(b"show info\n").await.ok()?;
            stats.read_u8().await.ok()
        };
        process.until("HAProxy serves", serves).await;
        Self { process, log: None, _folder: folder }
    }

    /// Starts nginx with one stream server, and waits until it listens; it logs in the format `told`.
    pub(crate) async fn nginx(program: &Path, told: &str, server: &str) -> Self {
        let folder = Folder::default();
        folder.write(
            "nginx.conf",
            &format!(
                "load_module {NGINX_STREAM};\ndaemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr info;\n\
                 events {{ worker_connections 100; }}\n\
                 stream {{ log_format told '{told}'; access_log told.log told; proxy_half_close on; \
                 server {{ {server} }} }}\n"
            ),
        );
        let mut command = Command::new(program);
        command.args(["-e", "stderr", "-p"]).arg(folder.path()).args(["-c", "nginx.conf"]);
        let mut process = Process::start(&mut command, folder.path());
        let pid = folder.path().join("nginx.pid");
        // It is written when the sockets are open.
        process.until("nginx listens", async || pid.exists().then_some(())).await;
        Self { process, log: Some(folder.path().join("told.log")), _folder: folder }
    }

    /// Waits until it has logged a line that begins so, and returns the rest of the line.
    pub(crate) async fn says(&mut self, beginning: &str) -> String {
        let Some(log) = &self.log else { return self.process.says(beginning).await };
        let logged = async || {
            let said = fs::read_to_string(log).ok()?;
            // Without its line feed a line may not be whole yet.
            let whole = said.rsplit_once('\n')?.0.to_owned();
            whole.lines().find_map(|line| line.strip_prefix(beginning)).map(str::to_owned)
        };
        self.process.until(beginning, logged).await
    }
}
