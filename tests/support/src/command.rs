//! The real binary as a child process: started, listened to, signalled, awaited.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
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
        let mut child = Command::new(binary)
            .arg("run")
            .arg("-c")
            .arg(config)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
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

    /// All events so far, oldest first.
    pub fn events(&mut self) -> &[String] {
        self.seen.extend(self.events.try_iter());
        &self.seen
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let signal = match name {
            "HUP" => Signal::HUP,
            "INT" => Signal::INT,
            "KILL" => Signal::KILL,
            "TERM" => Signal::TERM,
            "USR1" => Signal::USR1,
            other => panic!("no test sends {other} yet"),
        };
        kill_process(Pid::from_child(&self.child), signal).unwrap();
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
    use std::io::Write;
    let mut tcp = std::net::TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(tcp, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
