//! A gateway's side of the stream, line by line.

#[cfg(test)]
mod stage;

use std::time::Duration;

use landbridge_control_client::session::*;
use landbridge_control_client::wire::*;
use landbridge_control_client::{Held, Position};

use self::stage::{NOW, Stage, endpoints, name, refused, removed, service, set, update};

#[test]
fn hello_says_who_asks_and_where_it_stands() {
    let mut stage = Stage::new();
    let hello = stage.connect();
    assert_eq!((hello.protocol, hello.node.id.as_str()), (1, "eastwest-0"));
    assert_eq!(hello.features, [ENDPOINT_DELTA]);
    assert_eq!((hello.epoch, hello.seq), (None, None));

    stage.applies(&update("e", 7, r#""all""#, &[service("a", "1")]), vec![]);
    let hello = stage.connect();
    assert_eq!((hello.epoch.as_deref(), hello.seq), (Some("e"), Some(Seq(7))));
}

#[test]
fn an_update_is_acknowledged_once_its_owner_has_it_in_force() {
    let mut stage = Stage::open();
    let heard = stage.hears_update(&update("e", 1, r#""all""#, &[service("a", "1"), service("b", "2")]));
    assert_eq!(heard.set.iter().map(|set| set.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(stage.says(), None);
    assert!(stage.holds().is_empty());

    stage.session.handle_answer(vec![], &mut stage.held);
    assert_eq!(stage.holds(), ["service a 1", "service b 2"]);
    let digest = stage.held.digest();
    assert_eq!(stage.says(), Some(ToServer::Ack(Ack { nonce: "1".to_owned(), digest })));
    assert_eq!(stage.says(), None);
}

#[test]
fn what_is_refused_keeps_its_last_good_version_and_the_rest_is_in_force() {
    let mut stage = Stage::open();
    stage.applies(&update("e", 1, r#""all""#, &[service("a", "1"), service("b", "2")]), vec![]);
    let changes = [service("a", "10"), service("c", "30"), removed("b")];
    let answer = stage.applies(
        &update("e", 2, r#""nothing""#, &changes),
        vec![refused("a", "invalid"), refused("b", "held")],
    );
    assert_eq!(stage.holds(), ["service a 1", "service b 2", "service c 30"]);
    let ToServer::Nack(nack) = answer else { panic!("expected a nack, not {answer:?}") };
    assert_eq!(
        (nack.nonce.as_str(), nack.digest, nack.more, nack.update),
        ("2", stage.held.digest(), 0, None)
    );
    assert_eq!(nack.refused, [refused("a", "invalid"), refused("b", "held")]);

    // Numbers can't tell what it lacks now, so that the next server compares digests.
    let hello = stage.connect();
    assert_eq!((hello.epoch.as_deref(), hello.seq), (Some("e"), None));

    // What was held back is let go at the gateway itself.
    let gone = [RemovedResource { kind: Kind::Service, name: name("b") }];
    stage.session.handle_removed(&gone, &mut stage.held);
    assert_eq!(stage.holds(), ["service a 1", "service c 30"]);
}

#[test]
fn after_a_refusal_numbers_count_again_once_digests_were_compared_or_all_was_said() {
    for compared in [false, true] {
        let mut stage = Stage::open();
        stage.applies(&update("e", 1, r#""all""#, &[service("a", "1")]), vec![refused("a", "invalid")]);
        stage.applies(&update("e", 2, r#""nothing""#, &[service("b", "1")]), vec![]);
        assert_eq!(stage.connect().seq, None);
        if compared {
            stage.hears(r#"{"want":"digests"}"#).unwrap();
            assert_eq!(stage.says(), Some(ToServer::Digests(stage.held.digests())));
            stage.applies(&update("e", 2, r#"{"buckets":{}}"#, &[service("a", "2")]), vec![]);
        } else {
            stage.applies(&update("e", 2, r#"{"buckets":{}}"#, &[service("a", "2")]), vec![]);
            assert_eq!(stage.connect().seq, None);
            stage.applies(&update("e", 2, r#""all""#, &[service("a", "2")]), vec![]);
        }
        assert_eq!(stage.connect().seq, Some(Seq(2)));
    }
}

#[test]
fn a_version_that_is_not_of_its_spec_and_a_line_that_cannot_be_read_are_refused_by_name() {
    let mut stage = Stage::open();
    stage.applies(&update("e", 1, r#""all""#, &[service("a", "1"), service("b", "1")]), vec![]);
    let lines = [
        service("a", "2").replace(r#""spec":2"#, r#""spec":3"#),
        r#"{"type":"service","name":"b","version":"x","spec":{}}"#.to_owned(),
        service("c", "3"),
    ];
    // Neither vanishes by being restated badly.
    let heard = stage.hears_update(&update("e", 2, r#""all""#, &lines));
    assert_eq!((heard.set.len(), heard.removed.len()), (1, 0));
    let codes: Vec<_> =
        heard.refused.iter().map(|refused| (refused.name.as_str(), refused.code.as_str())).collect();
    assert_eq!(codes, [("a", code::VERSION_MISMATCH), ("b", code::INVALID)]);
    stage.session.handle_answer(vec![], &mut stage.held);
    assert!(matches!(stage.says(), Some(ToServer::Nack(nack)) if nack.refused == heard.refused));
    assert_eq!(stage.holds(), ["service a 1", "service b 1", "service c 3"]);
}

#[test]
fn what_is_restated_and_not_named_vanishes() {
    let mut stage = Stage::open();
    let all = [service("a", "1"), service("b", "1"), set(Kind::Policy, "a", "1")];
    stage.applies(&update("e", 1, r#""all""#, &all), vec![]);
    let of_b = format!(r#"{{"buckets":{{"service":[{}]}}}}"#, bucket(Kind::Service, "b"));
    stage.applies(&update("e", 2, &of_b, &[]), vec![]);
    assert_eq!(stage.holds(), ["service a 1", "policy a 1"]);
    stage.applies(&update("e", 3, r#""all""#, &[set(Kind::Policy, "a", "1")]), vec![]);
    assert_eq!(stage.holds(), ["policy a 1"]);
    stage.applies(&update("e", 4, r#""nothing""#, &[]), vec![]);
    assert_eq!(stage.holds(), ["policy a 1"]);
}

#[test]
fn a_change_inside_endpoints_is_applied_to_what_is_held_or_refused() {
    let mut stage = Stage::open();
    let (before, after) =
        (endpoints(&["10.0.0.1:80", "10.0.0.3:80"]), endpoints(&["10.0.0.2:80", "10.0.0.3:80"]));
    stage.applies(&update("e", 1, r#""all""#, &[set(Kind::Endpoints, "a", &before)]), vec![]);
    let delta = |kind: &str, name: &str, base: &str, result: &str| {
        format!(
            r#"{{"type":"{kind}","name":"{name}","base":"{}","version":"{}","set":[{{"address":"10.0.0.2:80"}}],"remove":["10.0.0.1:80"]}}"#,
            Version::of(base.as_bytes()),
            Version::of(result.as_bytes())
        )
    };
    for (wrong, code) in [
        (delta("endpoints", "a", "other", &after), code::BASE_MISMATCH),
        (delta("endpoints", "a", &before, "other"), code::BASE_MISMATCH),
        (delta("endpoints", "unheard", &before, &after), code::BASE_MISMATCH),
        (delta("service", "a", &before, &after), code::INVALID),
    ] {
        let heard = stage.hears_update(&update("e", 2, r#""nothing""#, &[wrong]));
        assert_eq!(heard.refused[0].code, code);
        stage.session.handle_answer(vec![], &mut stage.held);
        stage.says();
        assert_eq!(stage.holds(), [format!("endpoints a {before}")]);
    }
    let right = delta("endpoints", "a", &before, &after);
    assert!(matches!(
        stage.applies(&update("e", 3, r#""nothing""#, std::slice::from_ref(&right)), vec![]),
        ToServer::Ack(_)
    ));
    assert_eq!(stage.holds(), [format!("endpoints a {after}")]);
    // Once more, and there is nothing to do.
    let again = stage.hears_update(&update("e", 3, r#""nothing""#, &[right]));
    assert_eq!((again.set.len(), again.refused.len()), (0, 0));
}

#[test]
fn endpoints_do_not_grow_beyond_what_a_line_can_say() {
    let mut stage = Stage::open();
    let object =
        |address: usize| format!(r#"{{"address":"{address}","labels":{{"a":"{}"}}}}"#, "x".repeat(1_500_000));
    let spec = |count: usize| {
        let objects: Vec<(String, String)> =
            (0..count).map(|address| (address.to_string(), object(address))).collect();
        endpoints_spec(objects.iter().map(|(address, object)| (address.as_str(), object.as_str())))
    };
    stage.applies(&update("e", 1, r#""all""#, &[set(Kind::Endpoints, "a", &spec(2))]), vec![]);
    let delta = format!(
        r#"{{"type":"endpoints","name":"a","base":"{}","version":"{}","set":[{}]}}"#,
        Version::of(spec(2).as_bytes()),
        Version::of(spec(3).as_bytes()),
        object(2)
    );
    let heard = stage.hears_update(&update("e", 2, r#""nothing""#, &[delta]));
    assert_eq!(heard.refused[0].code, code::INVALID);
}

#[test]
fn the_last_word_about_a_name_counts() {
    let mut stage = Stage::open();
    stage.applies(&update("e", 1, r#""all""#, &[service("a", "1"), service("b", "1")]), vec![]);
    let lines = [
        service("a", "2"),
        service("a", "1"),
        service("b", "7"),
        removed("b"),
        removed("c"),
        service("c", "3"),
    ];
    let heard = stage.hears_update(&update("e", 2, r#""nothing""#, &lines));
    assert_eq!(heard.set.iter().map(|set| (set.name.as_str(), &*set.spec)).collect::<Vec<_>>(), [("c", "3")]);
    assert_eq!(heard.removed, [RemovedResource { kind: Kind::Service, name: name("b") }]);
}

#[test]
fn an_epoch_that_was_left_and_a_number_that_falls_are_refused_as_stale() {
    let mut stage = Stage::open();
    stage.applies(&update("old", 9, r#""all""#, &[service("a", "1")]), vec![]);
    stage.applies(&update("new", 2, r#""all""#, &[service("a", "2")]), vec![]);
    for past in [update("old", 10, r#""all""#, &[service("a", "0")]), update("new", 1, r#""all""#, &[])] {
        for line in &past {
            stage.hears(line).unwrap();
        }
        let Some(Event::Refused(refused)) = stage.session.poll_event() else { panic!("not refused") };
        assert_eq!(refused.code, code::STALE);
        let Some(ToServer::Nack(nack)) = stage.says() else { panic!("no nack") };
        assert_eq!((nack.update, nack.refused.len(), nack.digest), (Some(refused), 0, stage.held.digest()));
        assert_eq!(stage.holds(), ["service a 2"]);
        assert_eq!(stage.held.position().unwrap().epoch, "new");
    }
    // The same number may say more, and an epoch that was never seen is a new beginning.
    stage.applies(&update("new", 2, r#""nothing""#, &[service("b", "2")]), vec![]);
    stage.applies(&update("newest", 0, r#""all""#, &[service("c", "3")]), vec![]);
    assert_eq!(stage.holds(), ["service c 3"]);
    assert_eq!(stage.held.left().collect::<Vec<_>>(), ["old", "new"]);
}

#[test]
fn an_update_that_never_ends_leaves_nothing_behind() {
    let mut stage = Stage::open();
    let lines = update("e", 1, r#""all""#, &[service("a", "1"), service("b", "2")]);
    for whole in 0..lines.len() {
        for line in &lines[..whole] {
            stage.hears(line).unwrap();
        }
        let (half, _lost) = lines[whole].split_at(lines[whole].len() / 2);
        stage.session.handle_bytes(NOW, half.as_bytes(), &stage.held).unwrap();
        stage.session.handle_disconnected();
        assert_eq!(stage.session.poll_event(), None);
        let hello = stage.connect();
        assert_eq!((hello.epoch, stage.holds().len()), (None, 0));
    }
}

#[test]
fn an_update_whose_stream_breaks_before_its_answer_is_in_force_and_the_next_hello_waits_for_it() {
    let mut stage = Stage::open();
    stage.hears_update(&update("e", 1, r#""all""#, &[service("a", "1")]));
    stage.session.handle_disconnected();
    stage.session.handle_connected(NOW);
    assert_eq!(stage.says(), None);
    stage.session.handle_answer(vec![], &mut stage.held);
    let Some(ToServer::Hello(hello)) = stage.says() else { panic!("no hello") };
    assert_eq!(hello.seq, Some(Seq(1)));
    // The new server is told nothing of a nonce that it never said.
    assert_eq!(stage.says(), None);
}

#[test]
fn a_complete_update_is_handed_out_even_if_its_stream_is_gone_by_then() {
    let mut stage = Stage::open();
    for line in update("e", 1, r#""all""#, &[service("a", "1")]) {
        stage.hears(&line).unwrap();
    }
    stage.session.handle_disconnected();
    assert!(matches!(stage.session.poll_event(), Some(Event::Update(_))));
}

#[test]
fn what_comes_out_of_order_ends_the_stream() {
    let begin = &update("e", 1, r#""all""#, &[])[0];
    let late = r#"{"welcome":{"protocol":1}}"#;
    for lines in [
        vec![r#"{"end":{"nonce":"1"}}"#.to_owned()],
        vec![service("a", "1")],
        vec![r#"{"type":"service","name":"a"}"#.to_owned()],
        vec![begin.clone(), begin.clone()],
        vec![begin.clone(), r#"{"end":{"nonce":"2"}}"#.to_owned()],
        vec![late.to_owned()],
        vec!["not json".to_owned()],
        vec![r#"{"update":{"nonce":"1","epoch":"","seq":"1"}}"#.to_owned()],
        vec![format!(r#"{{"update":{{"nonce":"1","epoch":"{}","seq":"1"}}}}"#, "e".repeat(257))],
        [update("e", 1, r#""all""#, &[]), vec![begin.clone()]].concat(),
    ] {
        let mut stage = Stage::open();
        let (last, before) = lines.split_last().unwrap();
        for line in before {
            stage.hears(line).unwrap();
        }
        stage.hears(last).expect_err(last);
    }
    let mut early = Stage::new();
    early.session.handle_connected(NOW);
    early.hears(late).expect_err("welcome before hello");
    for first in [begin.as_str(), r#"{"welcome":{"protocol":2}}"#, r#"{"want":"digests"}"#] {
        let mut stage = Stage::new();
        stage.session.handle_connected(NOW);
        stage.says();
        stage.hears(first).expect_err(first);
    }
}

#[test]
fn the_answer_must_be_on_its_way_before_the_next_update() {
    let mut stage = Stage::open();
    stage.hears_update(&update("e", 1, r#""all""#, &[]));
    stage.session.handle_answer(vec![], &mut stage.held);
    let next = &update("e", 2, r#""all""#, &[])[0];
    stage.hears(next).expect_err("the answer was not said");
}

#[test]
fn an_update_that_takes_too_much_memory_is_refused_and_the_stream_goes_on() {
    let limits = [
        Limits { update_bytes: 1000, update_resources: 1000 },
        Limits { update_bytes: 1_000_000, update_resources: 5 },
    ];
    for limits in limits {
        let mut stage = Stage::with(limits);
        stage.connect();
        let many: Vec<String> = (0..20).map(|number| service(&format!("s{number}"), "1")).collect();
        for line in update("e", 1, r#""all""#, &many) {
            stage.hears(&line).unwrap();
        }
        assert!(
            matches!(stage.session.poll_event(), Some(Event::Refused(refused)) if refused.code == code::TOO_LARGE)
        );
        assert!(matches!(stage.says(), Some(ToServer::Nack(nack)) if nack.update.is_some()));
        // Said over and over, one name takes its room once.
        let same: Vec<String> = (0..20).map(|number| service("s", &number.to_string())).collect();
        assert!(matches!(stage.applies(&update("e", 1, r#""all""#, &same), vec![]), ToServer::Ack(_)));
        assert_eq!(stage.holds(), ["service s 19"]);
    }
}

#[test]
fn the_gateway_says_something_every_15_s_and_gives_up_after_45_s_of_silence() {
    let mut stage = Stage::open();
    let at = |seconds| NOW + Duration::from_secs(seconds);
    assert_eq!(stage.session.poll_timeout(NOW), Some(at(15)));
    assert_eq!(stage.says_at(at(14)), None);
    assert_eq!(stage.says_at(at(15)), Some(ToServer::Heartbeat(Heartbeat {})));
    assert_eq!(stage.session.poll_timeout(at(15)), Some(at(30)));
    stage.session.handle_timeout(at(44)).unwrap();
    // A byte now and then is no sign of life, and a line is, even one of a kind that isn't known.
    stage.session.handle_bytes(at(44), b"{", &stage.held).unwrap();
    assert!(matches!(stage.session.handle_timeout(at(45)), Err(SessionError::Silent)));
    stage.session.handle_bytes(at(44), b"\"new\":1}\n", &stage.held).unwrap();
    stage.session.handle_timeout(at(88)).unwrap();
    assert!(stage.session.handle_timeout(at(89)).is_err());
    // So is a long line that gets on.
    stage.session.handle_bytes(at(88), &[b' '; 16 * 1024], &stage.held).unwrap();
    stage.session.handle_timeout(at(132)).unwrap();
}

#[test]
fn a_status_is_said_at_most_every_5_s_and_the_newest_counts() {
    let mut stage = Stage::open();
    let at = |seconds| NOW + Duration::from_secs(seconds);
    let status = |active, ready: &[(&str, u32)]| Status {
        active,
        endpoints: ready
            .iter()
            .map(|(name, ready)| ((*name).to_owned(), ReadyEndpoints { ready: *ready, total: 9 }))
            .collect(),
        ..Status::default()
    };
    stage.session.handle_status(status(1, &[]));
    assert_eq!(stage.says_at(at(0)), Some(ToServer::Status(status(1, &[]))));
    stage.session.handle_status(status(2, &[("a", 1), ("b", 1)]));
    stage.session.handle_status(status(3, &[("b", 2)]));
    assert_eq!(stage.says_at(at(4)), None);
    assert_eq!(stage.session.poll_timeout(at(4)), Some(at(5)));
    assert_eq!(stage.says_at(at(5)), Some(ToServer::Status(status(3, &[("a", 1), ("b", 2)]))));

    let many: Vec<String> = (0..6000).map(|number| format!("s{number}")).collect();
    let many: Vec<(&str, u32)> = many.iter().map(|name| (name.as_str(), 1)).collect();
    stage.session.handle_status(status(4, &many));
    let counts = [10, 15].map(|seconds| match stage.says_at(at(seconds)) {
        Some(ToServer::Status(status)) => status.endpoints.len(),
        other => panic!("{other:?}"),
    });
    assert_eq!(counts, [5000, 1000]);
}

#[test]
fn a_nack_fits_into_a_line_however_much_is_refused() {
    let mut stage = Stage::open();
    let all: Vec<String> = (0..3000).map(|number| service(&format!("s{number:04}"), "1")).collect();
    stage.hears_update(&update("e", 1, r#""all""#, &all));
    let refused = (0..3000)
        .map(|number| Refused { text: "\0".repeat(5000), ..refused(&format!("s{number:04}"), "invalid") })
        .collect();
    stage.session.handle_answer(refused, &mut stage.held);
    let line = stage.session.poll_transmit(NOW, &stage.held).unwrap();
    assert!(line.len() <= LONGEST_LINE, "{}", line.len());
    let Some(ToServer::Nack(nack)) = ToServer::read(line.trim_ascii_end()).unwrap() else {
        panic!("no nack")
    };
    assert!(nack.more > 0 && nack.refused.len() > 100);
    assert_eq!(u64::try_from(nack.refused.len()).unwrap() + nack.more, 3000);
}

#[test]
fn a_server_that_goes_ends_the_stream_and_says_why() {
    let left = Stage::open().hears(r#"{"retry_after":{"milliseconds":5000}}"#);
    assert!(matches!(left, Err(SessionError::RetryAfter(after)) if after == Duration::from_secs(5)));

    let long = format!(r#"{{"error":{{"code":"forbidden","text":"{}"}}}}"#, "ä".repeat(5000));
    let Err(SessionError::Farewell(farewell)) = Stage::open().hears(&long) else { panic!("no farewell") };
    assert_eq!((farewell.code.as_str(), farewell.text.len()), ("forbidden", 1024));
}

#[test]
fn what_was_kept_on_disk_is_where_it_was() {
    let mut stage = Stage::open();
    stage.applies(&update("old", 1, r#""all""#, &[service("a", "1")]), vec![]);
    stage.applies(&update("e", 7, r#""all""#, &[service("a", "1"), set(Kind::Peer, "p", "{}")]), vec![]);

    let mut restarted = Stage::new();
    for resource in stage.held.resources() {
        let version = restarted.held.insert(resource.kind, resource.name.clone(), resource.spec.clone());
        assert_eq!(version, resource.version);
    }
    let left: Vec<String> = stage.held.left().map(str::to_owned).collect();
    restarted.held.resume(stage.held.position().unwrap().clone(), left);
    assert_eq!(restarted.held.digest(), stage.held.digest());
    let hello = restarted.connect();
    assert_eq!((hello.epoch.as_deref(), hello.seq), (Some("e"), Some(Seq(7))));
    assert_eq!(
        restarted.held.position(),
        Some(&Position { epoch: "e".to_owned(), seq: Seq(7), whole: true })
    );
    assert!(restarted.held.left().eq(["old"]));
}
