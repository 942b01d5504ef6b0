//! The words of xDS-lite: every line is read as it was written, however it is cut, and what is hostile goes no further
//! than it must.

use std::collections::BTreeMap;

use landbridge_control_client::wire::*;
use proptest::prelude::*;

use self::samples::{lines_to_client, lines_to_server, raw};

#[cfg(test)]
mod samples {
    pub(super) fn raw(json: &str) -> Box<serde_json::value::RawValue> {
        serde_json::value::RawValue::from_string(json.to_owned()).unwrap()
    }

    /// One line of every sort that a server says.
    pub(super) fn lines_to_client() -> Vec<&'static str> {
        vec![
            r#"{"welcome":{"protocol":1,"features":["endpoint_delta"],"server":"control-0"}}"#,
            r#"{"want":"digests"}"#,
            r#"{"update":{"nonce":"1","epoch":"e","seq":"7","sent_at":""}}"#,
            r#"{"update":{"nonce":"1","epoch":"e","seq":"7","sent_at":"","restates":"all"}}"#,
            r#"{"update":{"nonce":"1","epoch":"e","seq":"7","sent_at":"","restates":{"buckets":{"service":[3,17]}}}}"#,
            r#"{"type":"service","name":"web:80","version":"44136fa355b3678a1146ad16f7e8649e","spec":{}}"#,
            r#"{"type":"trust_bundle","name":"t","removed":true}"#,
            r#"{"type":"endpoints","name":"web:80","base":"44136fa355b3678a1146ad16f7e8649e","version":"44136fa355b3678a1146ad16f7e8649e","set":[{"address":"10.0.0.1:80"}],"remove":["10.0.0.2:80"]}"#,
            r#"{"end":{"nonce":"1"}}"#,
            r#"{"heartbeat":{}}"#,
            r#"{"retry_after":{"milliseconds":5000}}"#,
            r#"{"error":{"code":"forbidden","text":"not a gateway of ours"}}"#,
        ]
    }

    /// One line of every sort that a gateway says.
    pub(super) fn lines_to_server() -> Vec<String> {
        let digest = "44136fa355b3678a1146ad16f7e8649e";
        let mut lines: Vec<String> = [
            r#"{"hello":{"protocol":1,"features":["endpoint_delta"],"node":{"id":"a","cluster":"c","network":"n","version":"0.1.0","labels":{"zone":"z"}}}}"#,
            r#"{"hello":{"protocol":1,"features":[],"node":{"id":"a","cluster":"","network":"","version":"","labels":{}},"epoch":"e","seq":"18446744073709551615"}}"#,
            r#"{"heartbeat":{}}"#,
        ]
        .map(str::to_owned)
        .into();
        lines.push(format!(r#"{{"digests":{{"service":"{}"}}}}"#, "A".repeat(2048)));
        lines.push(format!(r#"{{"ack":{{"nonce":"1","digest":"{digest}"}}}}"#));
        lines.push(format!(
            r#"{{"nack":{{"nonce":"1","digest":"{digest}","refused":[{{"type":"peer","name":"p","version":"{digest}","field":"trust[0]","code":"invalid","text":"no"}}]}}}}"#
        ));
        lines.push(format!(
            r#"{{"nack":{{"nonce":"1","digest":"{digest}","refused":[],"update":{{"code":"stale","text":"left"}}}}}}"#
        ));
        lines.push(format!(
            r#"{{"status":{{"draining":true,"active":3,"digest":"{digest}","endpoints":{{"web:80":{{"ready":1,"total":2}}}}}}}}"#
        ));
        lines
    }
}

#[test]
fn every_line_is_written_as_it_was_read() {
    for line in lines_to_client() {
        let message = ToClient::read(line.as_bytes()).unwrap().unwrap();
        assert_eq!(String::from_utf8(message.to_line()).unwrap(), format!("{line}\n"));
    }
    for line in lines_to_server() {
        let message = ToServer::read(line.as_bytes()).unwrap().unwrap();
        assert_eq!(String::from_utf8(message.to_line()).unwrap(), format!("{line}\n"));
    }
}

#[test]
fn lines_are_the_same_wherever_the_bytes_are_cut() {
    let text = format!("{}\n\n \r\n{}\n", lines_to_client().join("\n"), lines_to_server().join("\n"));
    let expected: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    for cut in 0..=text.len() {
        let (head, tail) = text.as_bytes().split_at(cut);
        assert_eq!(collect([head, tail]), expected, "cut at {cut}");
    }
    assert_eq!(collect(text.as_bytes().chunks(1)), expected);
}

#[test]
fn a_line_has_at_most_4_mib_and_its_newline_is_not_counted() {
    let longest = [vec![b'x'; LONGEST_LINE], b"\n".to_vec()].concat();
    for chunk in [1000, 65_536, longest.len()] {
        let lines = collect(longest.chunks(chunk));
        assert_eq!(lines.len(), 1, "in chunks of {chunk}");
        assert_eq!(lines[0].len(), LONGEST_LINE);
    }
    let longer = [vec![b'x'; LONGEST_LINE + 1], b"\n".to_vec()].concat();
    for chunk in [1000, 65_536, longer.len()] {
        let mut lines = Lines::default();
        let fed = longer
            .chunks(chunk)
            .map(|bytes| lines.feed(bytes, |_| Ok::<(), LineError>(())))
            .find(Result::is_err);
        assert!(matches!(fed, Some(Err(LineError::TooLong))), "in chunks of {chunk}: {fed:?}");
        assert!(lines.unfinished() <= LONGEST_LINE);
    }
}

#[test]
fn the_first_error_ends_the_reading() {
    let mut seen = Vec::new();
    let fed = Lines::default().feed(b"1\n2\n3\n", |line| {
        seen.push(line.to_vec());
        if line == b"2" { Err(LineError::TooLong) } else { Ok(()) }
    });
    assert!(fed.is_err());
    assert_eq!(seen, [b"1", b"2"]);
}

#[test]
fn words_that_nobody_knows_yet_are_passed_over() {
    for line in [
        r"{}",
        r#"{"weather":{"sun":true}}"#,
        r#"{"want":"poetry"}"#,
        r#"{"want":{"digests":["service"]}}"#,
        r#"{"type":"poem","name":"p","version":"1","spec":{}}"#,
        r#"{"type":{"new":1},"name":"p","verse":[]}"#,
    ] {
        assert!(matches!(ToClient::read(line.as_bytes()), Ok(None)), "{line}");
    }
    assert!(matches!(ToServer::read(br#"{"weather":{"sun":true}}"#), Ok(None)));
    for line in lines_to_client() {
        let longer = line.replacen('{', r#"{"weather":{"sun":[true]},"#, 1);
        let message = ToClient::read(longer.as_bytes()).unwrap().unwrap();
        assert_eq!(message.to_line().trim_ascii(), line.as_bytes());
    }
    for line in lines_to_server() {
        let longer = line.replacen('{', r#"{"weather":{"sun":[true]},"#, 1);
        let message = ToServer::read(longer.as_bytes()).unwrap().unwrap();
        assert_eq!(message.to_line().trim_ascii(), line.as_bytes());
    }
}

#[test]
fn types_that_nobody_knows_yet_are_passed_over_within_a_message() {
    let digests = format!(r#"{{"digests":{{"poem":"{0}","peer":"{0}"}}}}"#, "A".repeat(2048));
    let expected = BTreeMap::from([(Kind::Peer, BucketDigests::default())]);
    assert_eq!(ToServer::read(digests.as_bytes()).unwrap(), Some(ToServer::Digests(Digests(expected))));

    let update =
        r#"{"update":{"nonce":"1","epoch":"e","seq":"7","restates":{"buckets":{"poem":[1],"peer":[2]}}}}"#;
    let Ok(Some(ToClient::Update(begin))) = ToClient::read(update.as_bytes()) else { panic!("no update") };
    assert_eq!(begin.restates, Restates::Buckets(BTreeMap::from([(Kind::Peer, vec![2])])));

    let nack = r#"{"nack":{"nonce":"1","digest":"44136fa355b3678a1146ad16f7e8649e","refused":[
        {"type":"poem","verse":4},{"type":"peer","name":"p","code":"invalid","text":"no"}]}}"#;
    let Ok(Some(ToServer::Nack(nack))) = ToServer::read(nack.as_bytes()) else { panic!("no nack") };
    assert_eq!(nack.refused.iter().map(|refused| refused.kind).collect::<Vec<_>>(), [Kind::Peer]);
}

#[test]
fn a_resource_that_cannot_be_read_is_named() {
    let bad_utf8 =
        [br#"{"type":"service","name":"web:80","version":"v","spec":{"host":""#.as_slice(), &[0xff], b"\"}}"]
            .concat();
    let long = format!(r#"{{"type":"service","name":"{}","removed":true}}"#, "n".repeat(513));
    for (line, name) in [
        (br#"{"type":"service","name":"web:80"}"#.as_slice(), "web:80"),
        (br#"{"type":"service","name":"web:80","spec":{}}"#, "web:80"),
        (
            br#"{"type":"service","name":"web:80","version":"44136fa355b3678a1146ad16f7e8649e","spec":null}"#,
            "web:80",
        ),
        (br#"{"type":"service","name":"web:80","removed":true,"spec":{}}"#, "web:80"),
        (br#"{"type":"service","name":"web:80","version":7,"spec":{}}"#, "web:80"),
        (br#"{"type":"service","name":"web:80","base":"7","version":"8"}"#, "web:80"),
        (br#"{"type":"service","name":"a b","removed":true}"#, "a?b"),
        (br#"{"type":"service","name":"","removed":true}"#, "?"),
        (br#"{"type":"service","name":7,"removed":true}"#, "7"),
        (&bad_utf8, "web:80"),
        (long.as_bytes(), &"n".repeat(512)),
    ] {
        let shown = String::from_utf8_lossy(line);
        let Err(LineError::Resource { kind, name: refused, expected }) = ToClient::read(line) else {
            panic!("{shown} is not refused by name")
        };
        assert_eq!((kind, refused.as_str()), (Kind::Service, name), "{shown}");
        assert!(!expected.is_empty());
    }
}

#[test]
fn what_is_no_message_at_all_is_malformed() {
    for line in [
        b"[]".as_slice(),
        b"{",
        b"null",
        b"\"heartbeat\"",
        b"{}{}",
        b"\xff",
        br#"{"heartbeat":7}"#,
        br#"{"update":{"nonce":"1"}}"#,
        br#"{"update":{"nonce":"1","epoch":"e","seq":7}}"#,
        br#"{"update":{"nonce":"1","epoch":"e","seq":"-7"}}"#,
        br#"{"update":{"nonce":"1","epoch":"e","seq":"+7"}}"#,
        br#"{"update":{"nonce":"1","epoch":"e","seq":""}}"#,
        br#"{"update":{"nonce":"1","epoch":"e","seq":"18446744073709551616"}}"#,
        br#"{"update":{"nonce":"1","epoch":"e","seq":"7","restates":"some"}}"#,
        br#"{"update":{"nonce":"1","epoch":"e","seq":"7","restates":{"buckets":{"peer":[256]}}}}"#,
        br#"{"retry_after":{"milliseconds":-1}}"#,
        br#"{"type":"service","name":"a","removed":true,"removed":true"#,
    ] {
        let read = ToClient::read(line);
        assert!(matches!(read, Err(LineError::Malformed(_))), "{}: {read:?}", String::from_utf8_lossy(line));
    }
}

#[test]
fn a_spec_may_nest_as_deep_as_a_line_is_long_and_is_handed_on_as_it_stands() {
    let deep = format!(
        r#"{{"type":"service","name":"a","version":"44136fa355b3678a1146ad16f7e8649e","spec":{}1{}}}"#,
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    let Ok(Some(ToClient::Resource(Resource { change: Change::Set { spec, .. }, .. }))) =
        ToClient::read(deep.as_bytes())
    else {
        panic!("not read")
    };
    assert_eq!(spec.get().len(), 2_000_001);
}

#[test]
fn a_version_is_of_the_bytes_of_the_spec_as_they_stand_on_the_line() {
    let spec = r#"{ "b" : 1.50,  "a": "\u00e4" , "a": 99999999999999999999999 }"#;
    let version = Version::of(spec.as_bytes());
    let line = format!(r#"{{"type":"service","name":"a","version":"{version}","spec": {spec} }}"#);
    let Ok(Some(ToClient::Resource(Resource { change: Change::Set { spec: read, .. }, .. }))) =
        ToClient::read(line.as_bytes())
    else {
        panic!("not read")
    };
    assert_eq!(read.get(), spec);
    let written = ToClient::Resource(Resource {
        kind: Kind::Service,
        name: Name::parse("a").unwrap(),
        change: Change::Set { version, spec: raw(spec) },
    });
    assert!(String::from_utf8(written.to_line()).unwrap().contains(spec));
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused_and_what_is_read_is_read_again(line in hostile()) {
        if let Ok(Some(message)) = ToClient::read(line.as_bytes()) {
            let written = message.to_line();
            let again = ToClient::read(written.trim_ascii_end()).unwrap().unwrap();
            prop_assert_eq!(again.to_line(), written);
        }
        if let Ok(Some(message)) = ToServer::read(line.as_bytes()) {
            let again = ToServer::read(message.to_line().trim_ascii_end()).unwrap();
            prop_assert_eq!(again, Some(message));
        }
    }

    #[test]
    fn any_bytes_in_any_chunks_are_the_lines_of_those_bytes(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), any::<u8>()], 0..200), chunk in 1_usize..50) {
        let expected: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let whole = expected[..expected.len() - 1].iter().filter(|line| !line.trim_ascii().is_empty());
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for chunk in bytes.chunks(chunk) {
            lines.feed(chunk, |line| { seen.push(line.to_vec()); Ok::<(), LineError>(()) }).unwrap();
        }
        prop_assert_eq!(seen.iter().map(Vec::as_slice).collect::<Vec<_>>(), whole.copied().collect::<Vec<_>>());
        prop_assert_eq!(lines.unfinished(), expected.last().unwrap().len());
    }
}

#[cfg(test)]
fn hostile() -> impl Strategy<Value = String> {
    let every: Vec<String> =
        lines_to_client().into_iter().map(str::to_owned).chain(lines_to_server()).collect();
    let piece = prop_oneof![
        Just(String::new()),
        "[\\[\\]{}\":,0-9a-z\\\\ ]{1,4}",
        proptest::sample::select(vec!["null", "true", "-1", "1e999", "\"\"", "{}", "[]", "\u{fffd}"])
            .prop_map(str::to_owned),
    ];
    (proptest::sample::select(every), any::<proptest::sample::Index>(), 0_usize..8, piece).prop_map(
        |(line, at, cut, piece)| {
            let (head, rest) = line.split_at(at.index(line.len()));
            let (_cut, tail) = rest.split_at(cut.min(rest.len()));
            format!("{head}{piece}{tail}")
        },
    )
}

#[cfg(test)]
fn collect<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut lines = Lines::default();
    let mut seen = Vec::new();
    for chunk in chunks {
        lines
            .feed(chunk, |line| {
                seen.push(String::from_utf8(line.to_vec()).unwrap());
                Ok::<(), LineError>(())
            })
            .unwrap();
    }
    assert_eq!(lines.unfinished(), 0);
    seen
}
