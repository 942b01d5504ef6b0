//! A network namespace, and the thread that lives in it.

use std::io;
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, unshare};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A network of its own. It has no name, so that it is gone with the last process and socket in it.
pub struct Namespace {
    runtime: Handle,
    alive: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Namespace {
    /// Makes one, with its loopback interface up.
    ///
    /// # Errors
    /// Mostly that it is not permitted: it takes `CAP_SYS_ADMIN`.
    pub fn new() -> io::Result<Self> {
        let (alive, until_dropped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let begun = unshare(CloneFlags::CLONE_NEWNET)
                .map_err(io::Error::from)
                .and_then(|()| Builder::new_current_thread().enable_all().build());
            match begun {
                Ok(runtime) => {
                    tell.send(Ok(runtime.handle().clone())).unwrap();
                    // An error says that the other end is gone, as it should be.
                    let _ = runtime.block_on(until_dropped);
                }
                Err(error) => tell.send(Err(error)).unwrap(),
            }
        });
        let runtime = told.recv().expect("the thread says how it began")?;
        Ok(Self { runtime, alive: Some(alive), thread: Some(thread) })
    }

    /// Runs a future on the thread of the namespace: sockets that it opens, and processes that it starts, belong
    /// to the namespace.
    pub async fn run<F>(&self, future: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.spawn(future).await.expect("what runs in a namespace doesn't panic")
    }

    /// As [`run`](Self::run), without waiting for it.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.runtime.spawn(future)
    }

    /// Runs `ip` with these arguments, which are separated by spaces.
    ///
    /// # Errors
    /// What it said, where it failed.
    pub async fn ip(&self, arguments: &str) -> io::Result<()> {
        let arguments = arguments.to_owned();
        self.run(async move {
            let output = Command::new("ip").args(arguments.split(' ')).output()?;
            if output.status.success() {
                return Ok(());
            }
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(io::Error::other(format!("ip {arguments}: {said}")))
        })
        .await
    }

    /// Sets a kernel parameter of the namespace, such as `ipv4/tcp_mtu_probing`.
    pub async fn sysctl(&self, name: &str, value: &str) {
        let (path, value) = (format!("/proc/sys/net/{name}"), value.to_owned());
        self.run(async move { std::fs::write(&path, value).expect(&path) }).await;
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            // It panicked only if a test has failed, which says so itself.
            let _ = thread.join();
        }
    }
}
