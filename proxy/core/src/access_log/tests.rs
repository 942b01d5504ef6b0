//! Every format to the letter, as docs/access-log.md shows it, and whatever a stranger may send.

use std::net::SocketAddr;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::service::Mode;
use crate::spiffe::{SpiffeId, TrustName};

const DOCUMENT: &str = include_str!("../../../../docs/access-log.md");
const SNI_ASKED: &str = "outbound_.8000_._.httpbin.default.svc.cluster.local";

fn place() -> Place {
    Place {
        node_id: "eastwest-0".to_owned(),
        cluster: "cluster-2".to_owned(),
        network: "network2".to_owned(),
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn time(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

/// A call of another cluster that went well.
fn served() -> Outcome {
    Outcome {
        connection_id: 17,
        reason: Reason::Done,
        error: None,
        started: time(1_795_183_401_482),
        duration: Duration::from_micros(38_900),
        downstream_remote: address("192.0.2.10:53112"),
        downstream_local: address("10.0.0.2:15443"),
        sni: Some(SNI_ASKED.into()),
        service: Some("httpbin.default.svc.cluster.local:8000".into()),
        mode: Some(Mode::Terminate),
        peer: Some(Identity {
            trust: TrustName::new("cluster-1"),
            id: SpiffeId::parse("spiffe://cluster.local/ns/default/sa/sleep").unwrap(),
        }),
        tls: Some(TlsFacts {
            version: "TLSv1.3",
            cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
            group: "X25519".to_owned(),
            resumed: false,
            alpn: Some("istio".to_owned()),
        }),
        handshake: Some(Duration::from_micros(2_400)),
        upstream: Some(UpstreamFacts {
            host: address("10.0.0.7:80"),
            local: Some(address("10.0.0.2:41822")),
            connect: Some(Duration::from_micros(310)),
            attempts: 1,
        }),
        received: 517,
        sent: 1204,
        would_deny: false,
        generation: 1,
    }
}

/// The same call by a client whose CA is not in the bundle.
fn refused() -> Outcome {
    Outcome {
        connection_id: 18,
        reason: Reason::CertUntrusted,
        error: Some("no path from \"spiffe://cluster.local/ns/default/sa/sleep\" to an anchor".to_owned()),
        duration: Duration::from_millis(4),
        peer: None,
        tls: None,
        upstream: None,
        received: 0,
        sent: 0,
        ..served()
    }
}

/// The same call where nothing listens on the endpoint's port.
fn unconnected() -> Outcome {
    Outcome {
        connection_id: 19,
        reason: Reason::ConnectRefused,
        error: Some("10.0.0.7:80: Connection refused (os error 111)".to_owned()),
        upstream: Some(UpstreamFacts {
            host: address("10.0.0.7:80"),
            local: None,
            connect: None,
            attempts: 3,
        }),
        received: 0,
        sent: 0,
        ..served()
    }
}

fn line(format: Format, outcome: &Outcome) -> String {
    let mut line = String::new();
    format.write(&place(), outcome, &mut line);
    line
}

fn suppressed(format: Format) -> String {
    let many = Suppressed { reason: Reason::SniUnknown, count: 4711, second: time(1_795_183_401_000) };
    let mut line = String::new();
    format.write_suppressed(&place(), &many, &mut line);
    line
}

fn parsed(outcome: &Outcome) -> Value {
    serde_json::from_str(&line(Format::Json, outcome)).unwrap()
}

fn assert_documented(line: &str) {
    let lines = DOCUMENT.split_inclusive('\n');
    assert!(lines.into_iter().any(|it| it == line), "not in docs/access-log.md:\n{line}");
}

#[test]
fn the_json_line_of_a_served_connection_is_the_documented_one() {
    let example = DOCUMENT.split("```json\n").nth(1).unwrap();
    let example = example.split("\n```").next().unwrap();
    let one_line: String = example.lines().map(str::trim).collect();
    assert_eq!(line(Format::Json, &served()), one_line.replace("\": ", "\":") + "\n");
}

#[test]
fn the_json_lines_of_refusals_are_the_documented_ones() {
    assert_documented(&line(Format::Json, &refused()));
    assert_documented(&line(Format::Json, &unconnected()));
    assert_documented(&suppressed(Format::Json));
}

#[test]
fn the_lines_of_asm_are_the_documented_ones() {
    assert_documented(&line(Format::Asm, &served()));
    assert_documented(&line(Format::Asm, &unconnected()));
    assert_documented(&suppressed(Format::Asm));
}

#[test]
fn the_lines_of_text_are_the_documented_ones() {
    assert_documented(&line(Format::Text, &served()));
    assert_documented(&line(Format::Text, &refused()));
    assert_documented(&line(Format::Text, &unconnected()));
    assert_documented(&suppressed(Format::Text));
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_written() {
    let mut outcome = served();
    outcome.would_deny = true;
    let object = parsed(&outcome);
    let mut written: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    written.push("suppressed");
    written.sort_unstable();
    let mut documented: Vec<&str> = DOCUMENT
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            match cells.as_slice() {
                ["", key, "string" | "number" | "boolean" | "null", _, ""] => Some(key.trim_matches('`')),
                _ => None,
            }
        })
        .collect();
    documented.sort_unstable();
    assert_eq!(written, documented);
}

#[test]
fn an_error_is_told_on_the_side_that_is_to_blame() {
    for reason in Reason::ALL {
        let outcome = Outcome { reason: *reason, error: Some("because".to_owned()), ..served() };
        let object = parsed(&outcome);
        let upstream = reason.blame() == Blame::Upstream;
        let expect = |here: bool| {
            if here { Value::from("because") } else { Value::Null }
        };
        assert_eq!(object["connection_termination_details"], expect(!upstream), "{reason}");
        assert_eq!(object["upstream_transport_failure_reason"], expect(upstream), "{reason}");
        assert_eq!(object["response_flags"], reason.flag().as_str());
        assert_eq!(object["response_code_details"].is_null(), *reason == Reason::Done);
        assert_eq!(object["refusal"].is_null(), !reason.refusal());
        assert_eq!(object["hint"].is_null(), reason.hint().is_empty());
    }
}

#[test]
fn what_is_not_known_is_null_and_no_try_to_connect_is_none() {
    let bare = Outcome {
        reason: Reason::NotTls,
        sni: None,
        service: None,
        mode: None,
        peer: None,
        tls: None,
        handshake: None,
        upstream: None,
        ..served()
    };
    let mut text = String::new();
    Format::Json.write(&Place::default(), &bare, &mut text);
    let object: Value = serde_json::from_str(&text).unwrap();
    for key in [
        "route_name",
        "upstream_host",
        "upstream_cluster",
        "requested_server_name",
        "node_id",
        "cluster",
        "network",
        "mode",
        "trust",
        "downstream_peer_uri_san",
        "downstream_tls_version",
        "downstream_tls_resumed",
        "downstream_alpn",
        "handshake_ms",
        "upstream_connect_ms",
    ] {
        assert!(object[key].is_null(), "{key}");
    }
    assert_eq!(object["upstream_attempts"], 0);
}

#[test]
fn a_server_name_cannot_forge_a_line_or_a_field() {
    let forged = "a\",\"response_flags\":\"-\r\n{\"forged\":\u{1b}[2J\0é x";
    let outcome = Outcome { sni: Some(forged.into()), ..refused() };
    for format in [Format::Json, Format::Asm] {
        let object: Value = serde_json::from_str(&line(format, &outcome)).unwrap();
        assert_eq!(object["requested_server_name"], forged);
        assert_eq!(object["response_flags"], "AN");
    }
    let text = line(Format::Text, &outcome);
    let escaped = r#"a\",\"response_flags\":\"-\x0d\x0a{\"forged\":\x1b[2J\x00\xc3\xa9_x"#;
    assert_eq!(text.matches(escaped).count(), 2, "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_long_text_is_cut_between_letters_and_says_so() {
    let outcome = Outcome { error: Some("é".repeat(400)), sni: Some("x".repeat(256).into()), ..refused() };
    let object = parsed(&outcome);
    assert_eq!(object["connection_termination_details"], "é".repeat(254) + "...");
    assert_eq!(object["requested_server_name"], "x".repeat(252) + "...");
    let whole = Outcome { sni: Some("x".repeat(255).into()), ..refused() };
    assert_eq!(parsed(&whole)["requested_server_name"], "x".repeat(255));
}

#[test]
fn a_line_is_appended_to_what_is_there() {
    let mut lines = line(Format::Text, &served());
    Format::Text.write(&place(), &refused(), &mut lines);
    assert_eq!(lines, line(Format::Text, &served()) + &line(Format::Text, &refused()));
}

/// Six bytes for one is the most that escaping makes of a text; the rest is keys and numbers.
const LONGEST: usize = 6 * (2 * SNI + ERROR + ALPN + 3 * NAME) + IDENTITY + 3000;

prop_compose! {
    fn hostile()(
        error in proptest::option::of(any::<String>()),
        sni in proptest::option::of(any::<String>()),
        alpn in proptest::option::of(any::<String>()),
        trust in any::<String>(),
        path in "[a-zA-Z0-9._-]{1,1900}",
        repeat in 1_usize..300,
        reason in 0..Reason::ALL.len(),
        millis in any::<u32>(),
    ) -> Outcome {
        let mut outcome = served();
        outcome.reason = Reason::ALL[reason];
        outcome.error = error.map(|text| text.repeat(repeat));
        outcome.sni = sni.map(|text| text.repeat(repeat).into());
        outcome.duration = Duration::from_millis(millis.into());
        if let Some(tls) = &mut outcome.tls {
            tls.alpn = alpn.map(|text| text.repeat(repeat));
        }
        let id = SpiffeId::parse(&format!("spiffe://td/a{path}")).unwrap();
        outcome.peer = Some(Identity { trust: TrustName::new(&trust), id });
        outcome
    }
}

proptest! {
    #[test]
    fn whatever_a_stranger_sends_makes_one_bounded_line(outcome in hostile()) {
        for format in [Format::Json, Format::Asm, Format::Text] {
            let line = line(format, &outcome);
            let body = line.strip_suffix('\n').unwrap();
            prop_assert!(body.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            prop_assert!(line.len() <= LONGEST, "{} bytes", line.len());
            if format == Format::Text {
                // The fields are as many as ever, so nothing broke out of its own.
                prop_assert_eq!(fields(body), fields(self::line(format, &served()).trim_end()));
            } else {
                let object: Value = serde_json::from_str(body).unwrap();
                let names = outcome.sni.as_deref().filter(|sni| !sni.is_empty() && sni.len() <= SNI);
                if let Some(sni) = names {
                    prop_assert_eq!(&object["requested_server_name"], sni);
                }
            }
        }
    }
}

/// How many fields a line of text has, a quoted one counting once.
fn fields(line: &str) -> usize {
    let (mut count, mut quoted, mut escaped) = (1, false, false);
    for byte in line.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b' ' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}
