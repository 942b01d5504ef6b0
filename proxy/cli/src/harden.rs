//! What the process gives up before it reads a key: core dumps, tracers, and ever gaining privileges.

use std::io;

use rustix::process::{Resource, Rlimit, geteuid, setrlimit};

/// What was tried, and what of it failed.
pub(crate) struct Hardening {
    steps: Vec<(&'static str, io::Result<()>)>,
    root: bool,
}

/// Hardens this process, as far as the system lets it. To be called before any thread is started, since
/// threads inherit what their maker gave up, and before the log is set up, which is what it tells later.
pub(crate) fn harden() -> Hardening {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let mut steps = vec![("no core dumps", setrlimit(Resource::Core, none).map_err(io::Error::from))];
    #[cfg(target_os = "linux")]
    steps.extend([("not dumpable", not_dumpable()), ("no new privileges", no_new_privileges())]);
    Hardening { steps, root: geteuid().is_root() }
}

impl Hardening {
    /// Logs what is in force at debug level, and what is not, or is unwise, as a warning.
    pub(crate) fn tell(&self) {
        for (what, done) in &self.steps {
            match done {
                Ok(()) => tracing::debug!(what, "hardened"),
                Err(error) => {
                    tracing::warn!(what, %error, "cannot harden this process; it serves all the same");
                }
            }
        }
        if self.root {
            tracing::warn!(
                "running as root, which nothing here needs; give it a user of its own (User= in a systemd unit, securityContext.runAsNonRoot in a pod) and, for a port below 1024, CAP_NET_BIND_SERVICE"
            );
        }
    }
}

/// Keeps other processes of the same user from reading this one's memory (prctl(2), PR_SET_DUMPABLE), and
/// believes it only once the kernel says so.
#[cfg(target_os = "linux")]
fn not_dumpable() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    match dumpable_behavior()? {
        DumpableBehavior::NotDumpable => Ok(()),
        _ => Err(not_kept()),
    }
}

/// No program that this process could be made to start gains anything by it (PR_SET_NO_NEW_PRIVS).
#[cfg(target_os = "linux")]
fn no_new_privileges() -> io::Result<()> {
    use rustix::thread::{no_new_privs, set_no_new_privs};
    set_no_new_privs(true)?;
    if no_new_privs()? { Ok(()) } else { Err(not_kept()) }
}

#[cfg(target_os = "linux")]
fn not_kept() -> io::Error {
    io::Error::other("the kernel did not keep it")
}
