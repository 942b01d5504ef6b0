//! Faults of the kernel: system calls of a running process that fail because strace lets them.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::Running;
use crate::peer::{find, skip};
use crate::process::numbered;

/// The command that brings strace to Debian.
const ENABLE: &str = "apt-get install strace";

/// strace, where it is installed and may be used.
pub struct Strace {
    program: PathBuf,
}

/// A process whose calls fail for as long as this lives, or as often as was said.
pub struct Injection {
    strace: Child,
    errors: BufReader<ChildStderr>,
    trace: PathBuf,
}

impl Strace {
    /// Finds it, or says why a test is skipped.
    pub fn find() -> Option<Self> {
        find("strace", ENABLE).map(|program| Self { program })
    }

    /// A command that runs `program` and lets its calls fail from the beginning by these rules; see strace(1),
    /// `--inject`. Calls are counted for each thread.
    pub fn starting(&self, rules: &[&str], program: &str, folder: &Path) -> Command {
        let mut command = self.tracing(rules, &numbered(folder, "trace"));
        command.arg("-f").arg(program);
        command
    }

    /// Lets calls of a process that runs fail from now on by these rules.
    ///
    /// `None` where this user may not trace it, which says why the test is skipped: the gateway is not dumpable,
    /// so only root may.
    pub fn inject(&self, running: &Running, rules: &[&str], folder: &Path) -> Option<Injection> {
        let trace = numbered(folder, "trace");
        let mut command = self.tracing(rules, &trace);
        command.arg("-f").arg("-p").arg(running.id().to_string());
        attached(command, trace)
    }

    /// As [`inject`](Self::inject), in one thread alone, by its name: its calls are counted apart from those of others.
    pub fn inject_into(&self, thread: (u32, &str), rules: &[&str], folder: &Path) -> Option<Injection> {
        let trace = numbered(folder, "trace");
        let mut command = self.tracing(rules, &trace);
        command.arg("-p").arg(thread_of(thread.0, thread.1));
        attached(command, trace)
    }

    /// Holds up one thread, by its name, in its next call of this name: a worker that is stuck.
    ///
    /// `None` as with [`inject`](Self::inject).
    pub fn hold(&self, running: &Running, thread: &str, call: &str, folder: &Path) -> Option<Injection> {
        let trace = numbered(folder, "trace");
        // In microseconds: longer than any test.
        let mut command = self.tracing(&[&format!("{call}:delay_enter=3600000000")], &trace);
        command.arg("-p").arg(thread_of(running.id(), thread));
        attached(command, trace)
    }

    fn tracing(&self, rules: &[&str], trace: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-e", "signal=none", "-o"]).arg(trace);
        let calls: Vec<&str> =
            rules.iter().map(|rule| rule.split_once(':').expect("a rule names calls").0).collect();
        command.arg("-e").arg(format!("trace={}", calls.join(",")));
        for rule in rules {
            command.arg("-e").arg(format!("inject={rule}"));
        }
        command
    }
}

/// Starts strace, and waits until it has attached.
fn attached(mut command: Command, trace: PathBuf) -> Option<Injection> {
    let mut strace = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(strace.stderr.take().unwrap());
    let mut said = String::new();
    // One line for all threads that there are.
    while !said.contains("attached") {
        if errors.read_line(&mut said).unwrap() == 0 {
            let _ = strace.wait();
            let said = said.trim();
            skip(&format!("strace cannot trace the gateway ({said}); to enable: run the tests as root"));
            return None;
        }
    }
    Some(Injection { strace, errors, trace })
}

/// The number of a process's thread, by its name.
fn thread_of(process: u32, name: &str) -> String {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let mut threads = threads.map(|thread| thread.unwrap());
    let is_it =
        |thread: &fs::DirEntry| fs::read_to_string(thread.path().join("comm")).unwrap().trim() == name;
    let thread = threads.find(is_it).unwrap_or_else(|| panic!("no thread {name}"));
    thread.file_name().into_string().unwrap()
}

impl Injection {
    /// How many calls have failed so far.
    pub fn count(&self) -> usize {
        self.count_of("")
    }

    /// How many calls of this name have failed so far.
    pub fn count_of(&self, call: &str) -> usize {
        let text = fs::read_to_string(&self.trace).unwrap_or_default();
        text.lines().filter(|line| line.contains("(INJECTED)") && line.contains(call)).count()
    }

    /// Lets every call be again; returns how many have failed.
    pub fn over(mut self) -> usize {
        kill_process(Pid::from_child(&self.strace), Signal::INT).unwrap();
        let mut rest = Vec::new();
        // Ends when strace has, and by then it has let go.
        self.errors.read_to_end(&mut rest).unwrap();
        self.strace.wait().unwrap();
        self.count()
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        // Either fails only where it has ended already. What it traced goes on when it is killed.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}
