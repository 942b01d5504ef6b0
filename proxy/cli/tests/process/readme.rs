//! What the README shows is what the commands print.

use std::process::Command;

use crate::LANDBRIDGE;

const README: &str = include_str!("../../../../README.md");

#[test]
fn the_transcript_of_the_readme_is_what_the_demo_prints() {
    let (_, transcript) = README.split_once("$ cargo run --release -- demo\n").unwrap();
    let (transcript, _) = transcript.split_once("```").unwrap();
    let output = Command::new(LANDBRIDGE).args(["demo", "--once"]).output().unwrap();
    let printed = without_ports(&String::from_utf8(output.stdout).unwrap());
    // The log line is left out of the README for its length.
    let printed: Vec<&str> = printed.lines().filter(|line| !line.starts_with("    the line")).collect();
    let shown = without_ports(transcript);
    let shown: Vec<&str> = shown.lines().collect();
    assert!(shown.len() > 20);
    assert_eq!(printed[..shown.len()], shown);
}

/// Ports are new in every run.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut normal = parts.next().unwrap().to_owned();
    for part in parts {
        normal += "127.0.0.1:PORT";
        normal += part.trim_start_matches(|character: char| character.is_ascii_digit());
    }
    normal
}
