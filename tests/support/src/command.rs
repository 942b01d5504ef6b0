//! The real binary as a child process: started, listened to, signalled, awaited.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything that is waited for should ever take; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `landbridge run`. It is killed when this is dropped.
pub struct Running {
    child: Child,
    events: Receiver<String>,
    seen: Vec<String>,
    access_log: Option<ChildStdout>,
    /// Where it listens for mTLS.
    pub address: SocketAddr,
    /// Where it answers for its health.
    pub health: SocketAddr,
    /// Where it tells its metrics.
    pub metrics: SocketAddr,
}

impl Running {
    /// Starts `binary run -c config` with further arguments and waits until it listens.
    ///
    /// The configuration should use port 0 for everything.
    pub fn start(binary: &str, config: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.arg("run").arg("-c").arg(config).args(arguments);
        Self::of(command)
    }

    /// As [`start`](Self::start), by a command that comes to run the binary.
    pub fn of(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (told, events) = channel();
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                // The test may have stopped listening; the pipe is drained all the same.
                let _ = told.send(line);
            }
        });
        let access_log = child.stdout.take();
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut running = Self {
            child,
            events,
            seen: Vec::new(),
            access_log,
            address: unknown,
            health: unknown,
            metrics: unknown,
        };
        running.address = address_in(&running.event("listening for mTLS"));
        running.health = address_in(&running.event("listening for health"));
        running.metrics = address_in(&running.event("listening for metrics"));
        running.event("takes on");
        running
    }

    /// Waits for an event whose line contains `text`, and returns the line.
    pub fn event(&mut self, text: &str) -> String {
        loop {
            match self.events.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("no event with {text:?} ({error}); seen:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Where it is administered: an address, or `unix:` and a path.
    pub fn admin(&self) -> String {
        let line = self.seen.iter().find(|line| line.contains("listening for administration"));
        let (_, rest) = line.expect("it was told at the start").split_once("address=").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let signal = match name {
            "CONT" => Signal::CONT,
            "HUP" => Signal::HUP,
            "INT" => Signal::INT,
            "KILL" => Signal::KILL,
            "STOP" => Signal::STOP,
            "TERM" => Signal::TERM,
            "USR1" => Signal::USR1,
            other => panic!("no test sends {other} yet"),
        };
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What it said so far, as far as it was waited for.
    pub fn said(&self) -> &[String] {
        &self.seen
    }

    /// Waits for the process to end; returns how, and its access log.
    pub fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let mut text = String::new();
        // Ends when the process has.
        self.access_log.take().unwrap().read_to_string(&mut text).unwrap();
        let status = self.child.wait().unwrap();
        (status, text.lines().map(str::to_owned).collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Either fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_in(line: &str) -> SocketAddr {
    let (_, rest) = line.split_once("address=").expect("a line that names an address");
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

/// Asks for `path` over HTTP/1.1 and returns status and body.
pub fn http_get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    let (status, _, body) = http_say(&address.to_string(), &request);
    (status, body)
}

/// Sends a whole request to an address, or to `unix:` and a path; returns the answer's status, head and body.
pub fn http_say(place: &str, request: &str) -> (u16, String, String) {
    let answer = if let Some(path) = place.strip_prefix("unix:") {
        let unix = UnixStream::connect(path).unwrap();
        unix.set_read_timeout(Some(PATIENCE)).unwrap();
        said_over(unix, request)
    } else {
        let tcp = TcpStream::connect(place).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        said_over(tcp, request)
    };
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

fn said_over(mut stream: impl Read + Write, request: &str) -> String {
    // Whoever refuses what is too large may not read all of it, and the rest of the answer is lost to the reset
    // then; what came before counts.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}
