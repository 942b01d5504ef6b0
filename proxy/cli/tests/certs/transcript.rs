//! `docs/certs.md`, and the examples of every `--help`, kept true by doing what they say.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Folder, LANDBRIDGE, Ran};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/certs.md");

/// A fenced block: what stands behind the fence, and what is in it.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => open = Some((kind, String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, content))) => content.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    blocks
}

/// The commands of a transcript, each with what it printed.
fn steps(transcript: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in transcript.lines() {
        let continued =
            steps.last().is_some_and(|(command, output)| output.is_empty() && command.ends_with("\\\n"));
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((format!("{command}\n"), String::new())),
            (None, Some((command, _))) if continued => command.extend([line, "\n"]),
            (None, Some((_, output))) => output.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    steps
}

fn shell(folder: &Folder, command: &str) -> Ran {
    let program = Path::new(LANDBRIDGE).parent().unwrap().display();
    folder.run(Command::new("sh").args(["-c", &format!("PATH={program}:$PATH; {command}")]))
}

/// The text with what differs from run to run replaced: times, durations, serial numbers, sums.
fn normal(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.trim_end().lines() {
        let mut words: Vec<String> = Vec::new();
        for word in line.split(' ') {
            let bare = word.trim_end_matches([',', '.', ';', ':', ')']);
            let end = word.strip_prefix(bare).unwrap();
            let hex = bare.len() > 8
                && bare.split(':').all(|it| it.len() == 2 && u8::from_str_radix(it, 16).is_ok());
            let unit = ["d", "h", "min", "s"].contains(&bare);
            if bare.len() == 20 && bare.ends_with('Z') && bare.contains('T') {
                words.push(format!("TIME{end}"));
            } else if hex {
                words.push(format!("HEX{end}"));
            } else if unit && words.last().is_some_and(|it| it.parse::<u64>().is_ok()) {
                words.pop();
                let again = words.last().is_some_and(|it| it == "SPAN");
                if again {
                    words.pop();
                }
                words.push(format!("SPAN{end}"));
            } else if bare.len() > 8 && bare.parse::<u64>().is_ok() {
                words.push("NUMBER".to_owned());
            } else {
                words.push(word.to_owned());
            }
        }
        lines.push(words.join(" "));
    }
    lines.join("\n")
}

#[test]
fn the_transcript_of_the_document_is_what_happens() {
    let document = fs::read_to_string(DOCUMENT).unwrap();
    let folder = Folder::new();
    let mut ran = 0;
    for (kind, content) in blocks(&document) {
        if let Some(name) = kind.strip_prefix("toml ") {
            folder.write(name, content.as_bytes());
        }
        if kind != "console" {
            continue;
        }
        for (command, expected) in steps(&content) {
            let Ran { out, err, .. } = shell(&folder, &command);
            let found = normal(&(out + &err));
            assert_eq!(found, normal(&expected), "$ {command}\nnow prints:\n{found}\n");
            ran += 1;
        }
    }
    assert!(ran >= 10, "only {ran} commands in the document");
}

#[test]
fn the_examples_of_every_help_work_as_they_are_written() {
    let folder = Folder::new();
    fs::create_dir(folder.path("pki")).unwrap();
    fs::create_dir(folder.path("next")).unwrap();
    let make = "landbridge certs ca --domain cluster.local --name cluster-2";
    shell(&folder, make).worked();
    let gateway = "[[trust]]\nname = \"cluster-1\"\ndomain = \"cluster.local\"\nbundle = \"cluster-1-ca.pem\"\n\
        [identity]\ncertificate = \"gateway.pem\"\nprivate_key = \"gateway.key\"\n\
        [[service]]\nhost = \"httpbin.default.svc.cluster.local\"\nport = 8000\n\
        allow = [\"spiffe://cluster.local/*\"]\nendpoints = [{ address = \"192.0.2.1:80\" }]\n";
    folder.write("gateway.toml", gateway.as_bytes());
    let mut seen = 0;
    for command in ["", "ca", "intermediate", "issue", "renew", "crl", "inspect", "verify"] {
        let help = shell(&folder, &format!("landbridge certs {command} --help")).worked();
        let (_, examples) = help.split_once("Example").unwrap();
        for example in examples_in(examples) {
            // What an earlier help made is in the way, which is not what this is about.
            let makes =
                ["certs ca", "certs issue", "certs intermediate"].iter().any(|it| example.contains(it));
            let force = if makes { " --force" } else { "" };
            // Revoked or expired is an answer too, and the help says so of its examples.
            let ran = shell(&folder, &format!("{example}{force}"));
            let answered = command == "verify" && ran.out.contains("REFUSED: cert_");
            assert!(ran.code == Some(0) || answered, "$ {example}\n{}{}", ran.out, ran.err);
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} examples");
}

fn examples_in(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut continued = false;
    for line in text.lines() {
        let start = line.trim_start().starts_with("landbridge ")
            && line.starts_with("  ")
            && !line.starts_with("   ");
        match found.last_mut() {
            Some(last) if continued => *last += line.trim().trim_end_matches('\\'),
            _ if start => found.push(line.trim().trim_end_matches('\\').to_owned()),
            _ => continue,
        }
        continued = line.ends_with('\\');
    }
    found
}
