//! The stream client with servers that are real, over unix sockets and TLS. Time is tokio's, and paused.

#[cfg(test)]
mod control;
#[cfg(test)]
mod owner;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landbridge_control_client::Held;
use landbridge_control_client::client::*;
use landbridge_control_client::session::{Event, SessionError};
use landbridge_control_client::wire::*;
use landbridge_testkit::client::Sidecar;
use landbridge_testkit::pki::Mesh;
use landbridge_testkit::server::tls_config;
use landbridge_testkit::soon;
use tokio::time::Instant;

use self::control::{Control, update};
use self::owner::Owner;

#[tokio::test]
async fn an_update_comes_into_force_and_is_acknowledged() {
    let mut control = Control::unix();
    let mut owner = Owner::of(&[&control.server]);
    let (mut call, hello) = soon("a stream", control.call()).await;
    assert_eq!((hello.node.id.as_str(), hello.epoch), ("eastwest-0", None));
    assert_eq!(call.request.method(), "POST");
    assert_eq!(call.request.uri().path(), PATH);
    // Over a unix socket the server is called by its path, which is no authority.
    assert_eq!(call.request.uri().authority().unwrap(), "localhost");
    assert_eq!(call.request.headers()["content-type"], MEDIA_TYPE);
    let welcome = soon("a welcome", owner.feed.next()).await;
    assert!(matches!(welcome, Some(Event::Welcome(welcome)) if welcome.server == "control-0"));

    call.says(&update(1, &[("a", "1"), ("b", "2")]));
    assert_eq!(soon("an update", owner.update()).await.set.len(), 2);
    assert_eq!(owner.holds(), 0);
    soon("the answer", owner.feed.answer(vec![])).await;
    assert_eq!(owner.holds(), 2);
    let ack = soon("an ack", call.hears()).await;
    let digest = owner.held.lock().unwrap().digest();
    assert_eq!(ack, ToServer::Ack(Ack { nonce: "1".to_owned(), digest }));

    owner.feed.status(Status { active: 3, ..Status::default() }).await;
    let status = soon("a status", call.hears()).await;
    assert_eq!(status, ToServer::Status(Status { active: 3, digest, ..Status::default() }));

    let state = owner.feed.state().borrow().clone();
    assert_eq!(state.connected.unwrap().server, control.server.authority);
    assert!(state.last_update.is_some() && state.last_failure.is_none());
    assert!(state.received > 300 && state.sent > 100, "{} {}", state.received, state.sent);
}

#[tokio::test]
async fn large_updates_come_in_whatever_pieces() {
    let mut control = Control::unix();
    let mut owner = Owner::of(&[&control.server]);
    let (call, _) = soon("a stream", control.call()).await;
    let spec = format!("\"{}\"", "x".repeat(3_000_000));
    let resources: Vec<(String, &str)> =
        (0..12).map(|number| (format!("s{number}"), spec.as_str())).collect();
    let resources: Vec<(&str, &str)> = resources.iter().map(|(name, spec)| (name.as_str(), *spec)).collect();
    for piece in update(1, &resources).as_bytes().chunks(700_001) {
        call.says_bytes(piece.to_vec());
    }
    call.says("");
    assert_eq!(soon("an update", owner.update()).await.set.len(), 12);
}

#[tokio::test(start_paused = true)]
async fn both_sides_may_be_silent_for_a_while_and_a_server_that_stays_so_is_left() {
    let mut control = Control::unix();
    let owner = Owner::of(&[&control.server]);
    let (mut call, _) = control.call().await;
    let begin = Instant::now();
    for beat in 1..=4 {
        call.says(r#"{"heartbeat":{}}"#);
        assert_eq!(call.hears().await, ToServer::Heartbeat(Heartbeat {}));
        assert_eq!(begin.elapsed().as_secs(), 15 * beat);
    }
    assert_eq!(call.hears().await, ToServer::Heartbeat(Heartbeat {}));
    let (_again, _) = control.call().await;
    assert!((90..91).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    assert!(matches!(*owner.failure(1).await.error, ClientError::Session(SessionError::Silent)));
}

#[tokio::test]
async fn an_update_that_its_stream_cut_short_leaves_nothing() {
    let mut control = Control::unix();
    let mut owner = Owner::of(&[&control.server]);
    let whole = update(1, &[("a", "1"), ("b", "2")]);
    for end in [10, whole.len() / 2, whole.len()] {
        let (call, hello) = soon("a stream", control.call()).await;
        assert_eq!(hello.epoch, None);
        call.says_bytes(whole.as_bytes().get(..end).unwrap().to_vec());
    }
    let (call, _) = soon("a stream", control.call()).await;
    assert_eq!(owner.holds(), 0);
    call.says(&update(2, &[("c", "3")]));
    assert_eq!(soon("an update", owner.update()).await.set.len(), 1);
    assert!(matches!(*owner.failure(3).await.error, ClientError::Closed | ClientError::Http(_)));
}

#[tokio::test]
async fn an_answer_that_comes_after_its_stream_is_in_the_next_hello() {
    let mut control = Control::unix();
    let mut owner = Owner::of(&[&control.server]);
    let (call, _) = soon("a stream", control.call()).await;
    call.says(&update(1, &[("a", "1")]));
    soon("an update", owner.update()).await;
    drop(call);
    let mut next = soon("the next stream", control.asked()).await;
    next.accept(hyper::StatusCode::OK);
    owner.feed.answer(vec![]).await;
    let hello = soon("hello", next.hears()).await;
    assert!(matches!(hello, ToServer::Hello(hello) if hello.seq == Some(Seq(1))), "not where it stands");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_about_to_go_is_left_for_the_next_one_or_come_back_to() {
    let (mut first, mut second) = (Control::unix(), Control::unix());
    let owner = Owner::of(&[&first.server, &second.server]);
    let (call, _) = first.call().await;
    let begin = Instant::now();
    call.says(r#"{"retry_after":{"milliseconds":30000}}"#);
    let (other, _) = second.call().await;
    assert!(begin.elapsed() < Duration::from_millis(1), "{:?}", begin.elapsed());
    let left = owner.failure(1).await;
    assert!(
        matches!(*left.error, ClientError::Session(SessionError::RetryAfter(after)) if after.as_secs() == 30)
    );

    // Both asked for time: the one whose time is over first.
    other.says(r#"{"retry_after":{"milliseconds":60000}}"#);
    let (_call, _) = first.call().await;
    assert!((30..=36).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_not_there_are_tried_in_turn_and_ever_less_often() {
    let folder = tempfile::tempdir().unwrap();
    let absent = control::unix_server(folder.path().join("absent"));
    let mut control = Control::unix();
    let owner = Owner::of(&[&absent, &control.server]);
    let (call, _) = control.call().await;
    assert!(matches!(*owner.failure(1).await.error, ClientError::Connect(_)));
    drop((call, control));

    // 40 rounds of at most half a minute, on average of a quarter.
    let begin = Instant::now();
    owner.failure(82).await;
    let per_round = begin.elapsed() / 40;
    assert!((5..25).contains(&per_round.as_secs()), "{per_round:?}");
}

#[tokio::test(start_paused = true)]
async fn who_accepts_and_says_nothing_is_left_after_10_s() {
    let mut control = Control::unix();
    let owner = Owner::of(&[&control.server]);
    let begin = Instant::now();
    let _unanswered = control.asked().await;
    assert!(matches!(*owner.failure(1).await.error, ClientError::Slow));
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_server_that_refuses_is_quoted() {
    let mut control = Control::unix();
    let owner = Owner::of(&[&control.server]);
    soon("a stream", control.asked()).await.accept(hyper::StatusCode::FORBIDDEN);
    let failure = soon("a failure", owner.failure(1)).await;
    assert_eq!(failure.error.to_string(), "expected a stream, and the server answers 403 Forbidden");

    let (call, _) = soon("a stream", control.call()).await;
    call.says(r#"{"error":{"code":"forbidden","text":"not a gateway of ours"}}"#);
    let failure = soon("a failure", owner.failure(2)).await;
    assert_eq!(failure.error.to_string(), "the server refuses: not a gateway of ours (forbidden)");
}

#[tokio::test]
async fn without_tls_no_stream_leaves_the_machine() {
    let plain = |host: &str| Server {
        authority: format!("{host}:15010"),
        address: Address::Tcp { host: host.to_owned(), port: 15010 },
        tls: None,
    };
    for host in ["192.0.2.1", "2001:db8::1", "0.0.0.0", "::ffff:192.0.2.1"] {
        let owner = Owner::of(&[&plain(host)]);
        let failure = soon("a failure", owner.failure(1)).await;
        assert!(matches!(*failure.error, ClientError::Plain), "{host}: {}", failure.error);
    }
    // On this machine it is tried.
    for host in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let mut server = plain(host);
        server.address = Address::Tcp { host: host.to_owned(), port: 1 };
        let failure = soon("a failure", Owner::of(&[&server]).failure(1)).await;
        assert!(!matches!(*failure.error, ClientError::Plain), "{host}: {}", failure.error);
    }
}

#[tokio::test]
async fn by_tls_credentials_are_asked_for_again_for_every_stream() {
    let mesh = Mesh::new("cluster.local");
    let server_identity = mesh.svid("ns/control/sa/control");
    let mut config = rustls::ServerConfig::clone(&tls_config(&server_identity, &mesh.bundle()));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let gateway = Sidecar::new(&mesh.svid("ns/istio-system/sa/eastwest"), &mesh.bundle()).config;
    let asked = Arc::new(Mutex::new(0));
    let source = TlsSource::new({
        let asked = Arc::clone(&asked);
        move || {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            if *asked == 2 {
                return Err("the key is not there yet".into());
            }
            let server_name = "control.example".try_into()?;
            Ok(Credentials { config: Arc::new(gateway.clone()), server_name })
        }
    });
    let mut control = Control::tls(Arc::new(config), source).await;
    let mut owner = Owner::of(&[&control.server]);
    let (call, _) = soon("a stream", control.call()).await;
    assert_eq!(call.request.uri().to_string(), format!("https://control.example:15010{PATH}"));
    call.says(&update(1, &[("a", "1")]));
    soon("an update", owner.update()).await;
    drop(call);
    let (_again, _) = {
        owner.feed.answer(vec![]).await;
        soon("a second stream", control.call()).await
    };
    assert_eq!(*asked.lock().unwrap(), 3);
    assert!(matches!(*owner.failure(2).await.error, ClientError::Credentials(_)));
}

#[tokio::test]
async fn a_server_that_is_not_believed_or_speaks_no_h2_is_left() {
    let (mesh, other) = (Mesh::new("cluster.local"), Mesh::new("cluster.local"));
    let identity = mesh.svid("ns/istio-system/sa/eastwest");
    for (server_mesh, alpn) in [(&other, b"h2".as_slice()), (&mesh, b"http/1.1")] {
        let mut config = rustls::ServerConfig::clone(&tls_config(&server_mesh.svid("a/b"), &mesh.bundle()));
        config.alpn_protocols = vec![alpn.to_vec()];
        let gateway = Arc::new(Sidecar::new(&identity, &mesh.bundle()).config);
        let source = TlsSource::new(move || {
            let server_name = "control.example".try_into()?;
            Ok(Credentials { config: Arc::clone(&gateway), server_name })
        });
        let control = Control::tls(Arc::new(config), source).await;
        let failure = soon("a failure", Owner::of(&[&control.server]).failure(1)).await;
        assert!(matches!(*failure.error, ClientError::Handshake(_)), "{:?}", failure.error);
    }
}

#[tokio::test]
async fn whoever_drops_the_feed_or_the_client_ends_the_stream() {
    let mut control = Control::unix();
    let Owner { feed, running, .. } = Owner::of(&[&control.server]);
    let (mut call, _) = soon("a stream", control.call()).await;
    drop(feed);
    soon("the client's end", running).await.unwrap();
    assert_eq!(soon("the stream's end", call.hears_or_ends()).await, None);

    let Owner { running, mut feed, .. } = Owner::of(&[&control.server]);
    let (mut call, _) = soon("a stream", control.call()).await;
    running.abort();
    assert_eq!(soon("the stream's end", call.hears_or_ends()).await, None);
    assert!(matches!(soon("an event", feed.next()).await, Some(Event::Welcome(_)) | None));
    assert_eq!(soon("no event", feed.next()).await, None);
}

#[tokio::test]
async fn without_servers_nothing_happens_until_the_feed_is_dropped() {
    let Owner { feed, running, .. } = Owner::of(&[]);
    feed.answer(vec![]).await;
    assert_eq!(feed.state().borrow().failures, 0);
    drop(feed);
    soon("the client's end", running).await.unwrap();
}
