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

#[test]
fn the_readme_s_own_certificates_fit_its_configuration_and_its_question_has_its_answer() {
    let folder = landbridge_testkit::pki::Folder::default();
    let (_, toml) = README.split_once("```toml\n").unwrap();
    let (toml, rest) = toml.split_once("```").unwrap();
    folder.write("gateway.toml", toml);
    let mut asked = 0;
    for block in rest.split("```console\n").skip(1).filter_map(|block| block.split_once("```")) {
        for command in block.0.replace("\\\n", " ").split("$ landbridge ").skip(1) {
            let (words, shown) = command.split_once('\n').unwrap();
            if words.starts_with("run") {
                continue;
            }
            let output = Command::new(LANDBRIDGE)
                .args(words.split_whitespace())
                .current_dir(folder.path())
                .output()
                .unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() || words.starts_with("explain"), "{words}: {printed}{errors}");
            if !shown.trim().is_empty() {
                assert_eq!(printed, shown, "{words}");
                asked += 1;
            }
        }
    }
    // The answers of validate and of explain.
    assert_eq!(asked, 2);
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
