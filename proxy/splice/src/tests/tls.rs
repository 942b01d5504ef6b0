//! What only TLS can do to a stream: key updates, alerts, bad records, bytes that came with the handshake.

use std::io::Write as _;

use rustls::AlertDescription;

use super::kit::{Kind, Peer, Role, Seen, Splice, connected, noise, spliced, tcp_pair, tls_pair, transfer};
use crate::{Cause, End, Options, Side};

#[tokio::test]
async fn keys_may_be_renewed_by_either_side_in_the_middle_of_a_stream() {
    for (down, up) in [(Kind::Tls13, Kind::Plain), (Kind::Plain, Kind::Tls13), (Kind::Tls13, Kind::Tls13)] {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        let data = noise(2 * 1024 * 1024, 40);
        for (round, piece) in data.chunks(256 * 1024).enumerate() {
            for peer in [&mut client, &mut endpoint] {
                if let Some(tls) = &mut peer.tls {
                    tls.refresh_traffic_keys().unwrap();
                }
            }
            client.send(piece).await;
            endpoint.send(piece).await;
            let length = round * 256 * 1024 + piece.len();
            endpoint.receive(length).await;
            client.receive(length).await;
        }
        client.finish().await;
        assert_eq!(endpoint.until_end().await, Seen::Clean);
        endpoint.finish().await;
        assert_eq!(client.until_end().await, Seen::Clean);
        assert!(client.got == data && endpoint.got == data);
        assert!(matches!(splice.ended().await.cause, Cause::Clean));
    }
}

#[tokio::test]
async fn a_key_update_after_the_gateway_has_finished_its_direction_does_no_harm() {
    let (mut client, splice, mut endpoint) = spliced(Kind::Tls13, Kind::Plain).await;
    endpoint.finish().await;
    assert_eq!(client.until_end().await, Seen::Clean);
    client.end = None;
    client.tls.as_mut().unwrap().refresh_traffic_keys().unwrap();
    client.send_deaf(b"still here").await;
    client.finish().await;
    endpoint.receive(10).await;
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
}

#[tokio::test]
async fn bytes_that_came_with_the_handshake_come_first() {
    let (tcp, gateway) = tcp_pair().await;
    let (mut theirs, mut ours) = tls_pair(Kind::Tls13, Role::Client);
    // Two records are decrypted already, one is not complete, and ours has something to say too.
    theirs.writer().write_all(b"one ").unwrap();
    transfer(&mut theirs, &mut ours);
    theirs.writer().write_all(b"two ").unwrap();
    transfer(&mut theirs, &mut ours);
    theirs.writer().write_all(b"three ").unwrap();
    let mut wire = Vec::new();
    theirs.write_tls(&mut wire).unwrap();
    let (early, late) = wire.split_at(9);
    ours.read_tls(&mut &*early).unwrap();
    ours.writer().write_all(b"greeting").unwrap();
    let mut client = Peer::new(tcp, Some(theirs));
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let splice = Splice::start(Side::tls(gateway, ours), far, Options::default());
    client.receive(8).await;
    assert_eq!(client.got, b"greeting");
    endpoint.receive(8).await;
    client.send_raw(late).await;
    client.send(b"four").await;
    client.finish().await;
    assert_eq!(endpoint.until_end().await, Seen::Clean);
    assert_eq!(endpoint.got, b"one two three four");
    endpoint.finish().await;
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
}

#[tokio::test]
async fn a_close_notify_that_came_with_the_handshake_is_a_clean_end() {
    let (tcp, gateway) = tcp_pair().await;
    let (mut theirs, mut ours) = tls_pair(Kind::Tls13, Role::Client);
    theirs.writer().write_all(b"all").unwrap();
    theirs.send_close_notify();
    transfer(&mut theirs, &mut ours);
    let mut client = Peer::new(tcp, Some(theirs));
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let splice = Splice::start(Side::tls(gateway, ours), far, Options::default());
    assert_eq!(endpoint.until_end().await, Seen::Clean);
    assert_eq!(endpoint.got, b"all");
    endpoint.finish().await;
    assert_eq!(client.until_end().await, Seen::Clean);
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
}

#[tokio::test]
async fn pending_bytes_of_a_plain_side_are_replayed_first() {
    let (tcp, gateway) = tcp_pair().await;
    let mut client = Peer::new(tcp, None);
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let hello = noise(9000, 41);
    let splice = Splice::start(Side::plain_with(gateway, hello.clone()), far, Options::default());
    client.send(b"more").await;
    client.finish().await;
    assert_eq!(endpoint.until_end().await, Seen::Clean);
    assert_eq!(endpoint.got, [&hello[..], b"more"].concat());
    endpoint.finish().await;
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
}

#[tokio::test]
async fn a_fatal_alert_in_the_middle_of_a_stream_resets_the_other_side_after_every_byte() {
    let (mut client, splice, mut endpoint) = spliced(Kind::Tls13, Kind::Plain).await;
    client.send(b"before").await;
    // A record that the client can't read makes its rustls send a fatal alert.
    let tls = client.tls.as_mut().unwrap();
    let mut bad = &b"\x17\x03\x03\x00\x20________________________________"[..];
    tls.read_tls(&mut bad).unwrap();
    tls.process_new_packets().unwrap_err();
    let mut alert = Vec::new();
    tls.write_tls(&mut alert).unwrap();
    client.send_raw(&alert).await;
    assert_eq!(endpoint.until_end().await, Seen::Reset);
    assert_eq!(endpoint.got, b"before");
    let ended = splice.ended().await;
    assert!(
        matches!(ended.cause, Cause::Alert(End::Downstream, AlertDescription::BadRecordMac)),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_bad_record_is_answered_with_an_alert_and_resets_the_other_side_after_every_byte() {
    for kind in [Kind::Tls13, Kind::Tls12] {
        let (mut client, splice, mut endpoint) = spliced(kind, Kind::Plain).await;
        let data = noise(100_000, 42);
        let mut wire = client.seal(&data);
        wire.extend_from_slice(b"\x17\x03\x03\x00\x20________________________________");
        client.send_raw(&wire).await;
        assert_eq!(endpoint.until_end().await, Seen::Reset);
        assert!(endpoint.got == data);
        assert_eq!(client.until_end().await, Seen::Alert(AlertDescription::BadRecordMac));
        let ended = splice.ended().await;
        assert!(
            matches!(ended.cause, Cause::Protocol(End::Downstream, rustls::Error::DecryptError)),
            "{ended:?}"
        );
        assert!(ended.delivered);
    }
}

#[tokio::test]
async fn garbage_instead_of_a_record_resets_the_other_side() {
    let (mut client, splice, mut endpoint) = spliced(Kind::Tls13, Kind::Plain).await;
    client.send(b"before").await;
    client.send_raw(&[0xff; 64]).await;
    assert_eq!(endpoint.until_end().await, Seen::Reset);
    assert_eq!(endpoint.got, b"before");
    assert!(matches!(splice.ended().await.cause, Cause::Protocol(End::Downstream, _)));
}

#[tokio::test]
async fn a_fin_inside_a_record_is_a_truncated_stream() {
    let (mut client, splice, mut endpoint) = spliced(Kind::Tls13, Kind::Plain).await;
    client.send(b"whole").await;
    let wire = client.seal(b"cut short");
    client.send_raw(&wire[..wire.len() - 1]).await;
    client.bare_fin();
    assert_eq!(endpoint.until_end().await, Seen::Reset);
    assert_eq!(endpoint.got, b"whole");
    assert!(matches!(splice.ended().await.cause, Cause::Truncated(End::Downstream)));
}
