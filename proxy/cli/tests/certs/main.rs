//! `landbridge certs` as its users meet it: files, words and exit codes.

#![cfg(test)]

mod inspecting;
mod issuing;
mod mistakes;
mod peers;
mod revoking;
mod transcript;
mod verifying;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The binary under test.
const LANDBRIDGE: &str = env!("CARGO_BIN_EXE_landbridge");

const SLEEP: &str = "spiffe://cluster.local/ns/default/sa/sleep";
const BY: [&str; 4] = ["--ca", "cluster-1-ca.pem", "--ca-key", "cluster-1-ca.key"];
const BUNDLE: [&str; 2] = ["--bundle", "cluster-1=cluster.local=cluster-1-ca.pem"];

/// A folder in which commands are run; it is removed when it is dropped.
struct Folder(TempDir);

/// How a command ended.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With the CA of cluster-1 and the certificate of sleep.
    fn with_sleep() -> Self {
        let folder = Self::new();
        folder.certs(&["ca", "--domain", "cluster.local", "--name", "cluster-1"]).worked();
        folder.certs(&[&["issue", "--id", SLEEP], &BY[..]].concat()).worked();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn names(&self) -> Vec<String> {
        names_in(self.0.path())
    }

    /// Runs `landbridge certs` in the folder.
    fn certs(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(LANDBRIDGE);
        self.run(command.arg("certs").args(arguments))
    }

    /// Runs any command in the folder.
    fn run(&self, command: &mut Command) -> Ran {
        let output = command.current_dir(self.0.path()).output().unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    #[track_caller]
    fn worked(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// What was said while it failed with this code, in all of these words.
    #[track_caller]
    fn failed(self, code: i32, words: &[&str]) -> String {
        let said = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, Some(code), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is missing in: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
        said
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The facts that `inspect --format json` gives of one file.
fn facts(folder: &Folder, name: &str) -> serde_json::Value {
    let text = folder.certs(&["inspect", "--format", "json", name]).worked();
    let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
    report["files"][0].take()
}
