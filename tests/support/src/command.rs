//! The real binary as a child process: started, listened to, signalled, awaited.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use crate::process::until;

/// Longer than anything that is waited for should ever take; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a pipe holds once it was made as small as can be (pipe(7)).
const SMALLEST_PIPE: usize = 4096;

/// What becomes of a pipe that nobody reads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It stays open, and fills up.
    Full,
    /// It is closed, and whoever writes to it is told so.
    Closed,
}

/// A running `landbridge run`. It is killed when this is dropped.
pub struct Running {
    child: Child,
    ear: Option<Ear>,
    events: Receiver<String>,
    seen: Vec<String>,
    access_log: Option<ChildStdout>,
    /// What is kept open, and never read again.
    unread: Option<ChildStderr>,
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
        Self::by(&mut command)
    }

    /// As [`start`](Self::start), by a command that the test has made.
    pub fn by(command: &mut Command) -> Self {
        Self::reading(command, Stdio::null())
    }

    /// As [`by`](Self::by), with a standard input.
    pub fn reading(command: &mut Command, input: Stdio) -> Self {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (told, events) = channel();
        let ear = Ear::listening(child.stderr.take().unwrap(), told);
        let access_log = child.stdout.take();
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut running = Self {
            child,
            ear: Some(ear),
            events,
            seen: Vec::new(),
            access_log,
            unread: None,
            address: unknown,
            health: unknown,
            metrics: unknown,
        };
        running.address = address_in(&running.event(" listening for mTLS address="));
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

    /// Reads no event any more. To be asked of a gateway that would apply its configuration again: the event
    /// of that is what ends the listening.
    pub fn unhear(&mut self, unread: Unread) {
        let ear = self.ear.take().expect("stopped once");
        ear.enough.store(true, Ordering::SeqCst);
        self.signal("HUP");
        let pipe = ear.thread.join().unwrap();
        if unread == Unread::Full {
            rustix::pipe::fcntl_setpipe_size(&pipe, SMALLEST_PIPE).unwrap();
            self.unread = Some(pipe);
        }
    }

    /// What becomes of the access log, which nobody reads before the end.
    pub fn unread_access_log(&mut self, unread: Unread) {
        match unread {
            Unread::Full => {
                rustix::pipe::fcntl_setpipe_size(self.access_log.as_ref().unwrap(), SMALLEST_PIPE).unwrap();
            }
            Unread::Closed => self.access_log = None,
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

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Lets it open files up to `most`, for now, or all that it may have again.
    pub fn limit_open_files(&self, most: Option<u64>) {
        // A child has our hard limit, and the gateway takes all of it.
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let limit = Rlimit { current: most.or(maximum), maximum };
        prlimit(Some(self.pid()), Resource::Nofile, limit).unwrap();
    }

    /// Waits until the kernel says that it is in this state, such as `T` where it is stopped.
    pub async fn until_state(&self, state: char) {
        let stat = format!("/proc/{}/stat", self.id());
        until("a state of the process", async || {
            let text = fs::read_to_string(&stat).unwrap();
            let (_, behind_name) = text.rsplit_once(") ").unwrap();
            behind_name.starts_with(state).then_some(())
        })
        .await;
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let signal = match name {
            "CONT" => Signal::CONT,
            "HUP" => Signal::HUP,
            "INT" => Signal::INT,
            "KILL" => Signal::KILL,
            "PIPE" => Signal::PIPE,
            "STOP" => Signal::STOP,
            "TERM" => Signal::TERM,
            "USR1" => Signal::USR1,
            other => panic!("no test sends {other} yet"),
        };
        kill_process(self.pid(), signal).unwrap();
    }

    /// What it said so far, as far as it was waited for.
    pub fn said(&self) -> &[String] {
        &self.seen
    }

    /// Waits for the process to end; returns how, and its access log, which is empty if it is unread.
    pub fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let mut text = String::new();
        if let Some(mut access_log) = self.access_log.take() {
            // Ends when the process has.
            access_log.read_to_string(&mut text).unwrap();
        }
        let status = self.child.wait().unwrap();
        (status, text.lines().map(str::to_owned).collect())
    }
}

/// The thread that reads events as they come, so that the process never waits for the test.
struct Ear {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<ChildStderr>,
}

impl Ear {
    fn listening(pipe: ChildStderr, told: Sender<String>) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let over = enough.clone();
        let thread = thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = String::new();
            while pipe.read_line(&mut line).is_ok_and(|count| count > 0) {
                // The test may have stopped listening; the pipe is drained all the same.
                let _ = told.send(line.trim_end_matches('\n').to_owned());
                line.clear();
                if over.load(Ordering::SeqCst) {
                    break;
                }
            }
            pipe.into_inner()
        });
        Self { enough, thread }
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
