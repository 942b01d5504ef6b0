//! A kill at every system call while a change is put in force and kept: the next start has the old or the new.

use std::fs;

use landbridge_testkit::client::Saw;
use landbridge_testkit::process::until;
use landbridge_testkit::strace::Strace;

use crate::stage::{Gateway, OTHER_MAY, SLEEP_MAY, Serving, Stage};

/// What the thread asks of the kernel about files; each is counted by itself.
const CALLS: [&str; 5] = ["?unlink,?unlinkat", "openat", "write", "fsync", "?rename,?renameat,?renameat2"];
/// More calls of a kind than one change takes.
const ENOUGH: usize = 50;

/// What a start without a server found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Old,
    New,
}

/// Two services before a change and after it, in one file so that they change together.
struct Change {
    before: String,
    after: String,
}

impl Stage {
    /// Waits until the server has read `text` and everything of it is in force and on disk.
    async fn settles(&self, server: &Serving, gateway: &mut Gateway) {
        gateway.listens().await;
        server.until("it is synced", |told| told["state"] == "synced").await;
        gateway.until("it is on disk", |told| !told["snapshot"]["saved_at"].is_null()).await;
    }

    /// Writes `text` and waits until the server serves it.
    async fn reads(&self, server: &Serving, text: &str) {
        let before = server.told()["seq"].clone();
        self.edit("httpbin", text);
        until("the server has read it", async || (server.told()["seq"] != before).then_some(())).await;
    }

    /// Applies the change with a kill at the `nth` of these calls; whether it survived, and what it said.
    ///
    /// `None` where this user may not trace.
    async fn is_killed(&self, strace: &Strace, change: &Change, at: (&str, usize)) -> Option<(bool, String)> {
        self.clears();
        self.edit("httpbin", &change.before);
        let server = self.serve().await;
        let mut gateway = self.start();
        self.settles(&server, &mut gateway).await;
        let rule = format!("{}:signal=KILL:when={}", at.0, at.1);
        let thread = (gateway.process.id(), "stream");
        let injection = strace.inject_into(thread, &[&rule], self.world.folder.path())?;
        self.reads(&server, &change.after).await;
        let survived = until("it is killed or done", async || {
            if gateway.process.has_ended() {
                return Some(false);
            }
            // It tells of a change once that is kept.
            let is_done = gateway.told().is_some_and(|told| told["resources"]["service"] == 2);
            is_done.then_some(true)
        })
        .await;
        drop(injection);
        server.kill();
        Some((survived, gateway.kill()))
    }

    /// What a start without a server serves; `refused` is what the caller sees of `httpbin` after the change.
    async fn found(&self, refused: Option<&Saw>) -> Found {
        let mut gateway = self.start();
        gateway.says("no stream from the control server", 1).await;
        if gateway.process.output().contains("not ready and not listening") {
            return Found::Nothing;
        }
        gateway.listens().await;
        let (httpbin, db) = (self.ask(&gateway, "httpbin").await, self.ask(&gateway, "db").await);
        let hello = Ok(b"hello".to_vec());
        let new = refused.map_or(hello.clone(), |saw| Err(saw.clone()));
        if (&httpbin, &db) == (&hello, &Err(Saw::Alert(112))) {
            Found::Old
        } else {
            assert_eq!((httpbin, db), (new, hello), "neither the old nor the new");
            Found::New
        }
    }

    fn clears(&self) {
        fs::remove_dir_all(self.path("state")).unwrap();
        fs::create_dir(self.path("state")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_call_of_a_save_leaves_the_old_or_the_new() {
    let Some(strace) = Strace::find() else { return };
    let stage = Stage::set().await;
    let before = stage.service("httpbin", SLEEP_MAY);
    let after = before.clone() + &stage.service("db", SLEEP_MAY);
    let change = Change { before, after };
    let (mut kills, mut old) = (0, 0);
    for call in CALLS {
        for nth in 1.. {
            assert!(nth < ENOUGH, "{call}: no end");
            let Some((survived, _)) = stage.is_killed(&strace, &change, (call, nth)).await else { return };
            match stage.found(None).await {
                Found::Old => old += 1,
                Found::New => {}
                Found::Nothing => panic!("both generations are lost by a kill at {call} {nth}"),
            }
            if survived {
                break;
            }
            kills += 1;
        }
    }
    // A file to remove and one to write, two to rename, and each forced to the disk with its folder.
    assert!(kills >= 8 && old >= 5, "{kills} kills, {old} times the old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_call_never_brings_a_grant_back_that_was_taken_away() {
    let Some(strace) = Strace::find() else { return };
    let stage = Stage::set().await;
    let before = stage.service("httpbin", SLEEP_MAY);
    let after = stage.service("httpbin", OTHER_MAY) + &stage.service("db", SLEEP_MAY);
    let change = Change { before, after };
    let (mut kills, mut nothing) = (0, 0);
    for call in CALLS {
        for nth in 1.. {
            assert!(nth < ENOUGH, "{call}: no end");
            let Some((survived, said)) = stage.is_killed(&strace, &change, (call, nth)).await else { return };
            match stage.found(Some(&Saw::Alert(49))).await {
                // Killed before the change was in force.
                Found::Old => {
                    assert_eq!(said.matches("control server in force").count(), 1, "{call} {nth}: {said}");
                    assert!(!said.contains("cut=1"), "{call} {nth}: {said}");
                }
                Found::Nothing => nothing += 1,
                Found::New => {}
            }
            if survived {
                break;
            }
            kills += 1;
        }
    }
    // As above, and before it three files to remove and their folder.
    assert!(kills >= 12 && nothing >= 5, "{kills} kills, {nothing} times nothing");
}
