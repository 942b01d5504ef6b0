//! Real programs: started with their output in a file, waited for by event, killed when dropped.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How long anything may take before the test fails; only a broken program takes that long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a program that can't wake us is asked.
const TICK: Duration = Duration::from_millis(10);

/// A program that runs. Dropping it kills it; a test that fails prints what it said.
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

/// What a program that ended said.
#[derive(Debug)]
pub struct Finished {
    /// Whether it ended with status 0.
    pub success: bool,
    /// What it printed, both streams as they came.
    pub output: String,
}

impl Process {
    /// Starts a program; its output goes to a file in `folder`, and its input stays open and empty.
    pub fn start(command: &mut Command, folder: &Path) -> Self {
        let name = Path::new(command.get_program()).file_name().unwrap().to_string_lossy().into_owned();
        let output = numbered(folder, &name);
        let file = File::create(&output).unwrap();
        command.stdin(Stdio::piped()).stdout(file.try_clone().unwrap()).stderr(file).current_dir(folder);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name, child, output }
    }

    /// Lets it read `input`, which must fit into a pipe (64 KiB), and leaves its input open.
    #[must_use]
    pub fn fed(mut self, input: &[u8]) -> Self {
        self.child.stdin.as_mut().unwrap().write_all(input).unwrap();
        self
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap()).into_owned()
    }

    /// The file that it prints to.
    pub fn place(&self) -> PathBuf {
        self.output.clone()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let signal = match name {
            "TERM" => Signal::TERM,
            "HUP" => Signal::HUP,
            other => panic!("no test sends {other}"),
        };
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits until `ask` has an answer; fails at once if the program has ended.
    pub async fn until<T>(&mut self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        until(what, async || {
            let answer = ask().await;
            if answer.is_none() {
                let ended = self.child.try_wait().unwrap();
                assert!(ended.is_none(), "{} ended before {what}: {}", self.name, ended.unwrap());
            }
            answer
        })
        .await
    }

    /// Waits until it has printed a line that begins so, and returns the rest of the line.
    pub async fn says(&mut self, beginning: &str) -> String {
        let output = self.output.clone();
        self.until(beginning, async || {
            let said = String::from_utf8_lossy(&fs::read(&output).unwrap()).into_owned();
            // Without its line feed a line may not be whole yet.
            let whole = said.rsplit_once('\n')?.0.to_owned();
            whole.lines().find_map(|line| line.strip_prefix(beginning)).map(str::to_owned)
        })
        .await
    }

    /// Kills it, unless it has ended by itself.
    pub fn kill(&mut self) {
        // Either fails only where there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has ended.
    pub async fn finished(mut self) -> Finished {
        let what = format!("{} has ended", self.name);
        let status: ExitStatus = until(&what, async || self.child.try_wait().unwrap()).await;
        Finished { success: status.success(), output: self.output() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "a failed test shows what its peers said")]
            {
                eprintln!("--- {} said:\n{}---", self.name, self.output());
            }
        }
    }
}

/// Asks again and again until there is an answer: for what happens in another process, which can't
/// wake us.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
    }
}

/// A path in `folder` that no other call returns.
pub fn numbered(folder: &Path, name: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    folder.join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}
