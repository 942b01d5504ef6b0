//! The demo, which is the first thing that anybody runs.

use std::process::Command;

use crate::LANDBRIDGE;

#[test]
fn the_demo_plays_every_call_as_it_should_and_exits_0() {
    let output = Command::new(LANDBRIDGE).args(["demo", "--once"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for said in [
        "All calls ended as they should.",
        "outbound_.8000_._.httpbin.default.svc.cluster.local",
        "spiffe://cluster.local/ns/default/sa/sleep as vouched for by cluster-1",
        "refused    by TLS alert 49 (AccessDenied)",
        "logged     AZ denied_by_policy",
        "logged     NR no_route",
        "logged     UH no_healthy_endpoint",
        "the gateway saw no identity",
    ] {
        assert!(text.contains(said), "{said:?} is missing in:\n{text}");
    }
    assert!(!text.contains("WRONG"), "{text}");
    // The seed of the ASM document: the log line of sleep's call names what that document's line names.
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("the line   ")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    for key in ["requested_server_name", "upstream_cluster"] {
        assert_eq!(line[key], "outbound_.8000_._.httpbin.default.svc.cluster.local");
    }
    assert!(line["upstream_host"].as_str().unwrap().starts_with("127.0.0.1:"));
    for key in ["bytes_received", "bytes_sent", "duration"] {
        assert!(line[key].is_u64(), "{key}");
    }
    assert_eq!(line["response_flags"], "-");
}
