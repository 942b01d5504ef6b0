//! Terminated services: who gets in, what is logged of it, and what TLS was agreed on.

use landbridge::outcome::Reason;
use landbridge::service::Mode;
use landbridge_testkit::client::{Saw, Sidecar};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn an_allowed_caller_reaches_the_endpoint_and_the_outcome_says_so() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let answer = world.sidecar().ask(gateway.address, HTTPBIN, b"hello across clusters").await;
    assert_eq!(answer, Ok(b"hello across clusters".to_vec()));

    let outcome = gateway.outcome().await;
    assert_eq!(outcome.reason, Reason::Done);
    assert_eq!(outcome.sni.as_deref(), Some(HTTPBIN));
    assert_eq!(outcome.service.as_deref(), Some("httpbin.default.svc.cluster.local:8000"));
    assert_eq!(outcome.mode, Some(Mode::Terminate));
    let peer = outcome.peer.unwrap();
    assert_eq!(peer.trust.as_str(), "cluster-1");
    assert_eq!(peer.id.as_str(), "spiffe://cluster.local/ns/default/sa/sleep");
    assert_eq!((outcome.received, outcome.sent), (21, 21));
    let upstream = outcome.upstream.unwrap();
    assert_eq!((upstream.host, upstream.attempts), (endpoint.address, 1));
    let tls = outcome.tls.unwrap();
    assert_eq!((tls.version, tls.resumed, tls.alpn.as_deref()), ("TLSv1.3", false, Some("istio")));
    assert_eq!(tls.cipher, "TLS_AES_128_GCM_SHA256");
    assert_eq!(tls.group, "X25519MLKEM768");
    assert_eq!(gateway.handle.active(), 0);
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_before_the_client_says_anything() {
    let world = World::default();
    let endpoint = Server::greeter("220 ready\r\n").await;
    let gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    assert_eq!(world.sidecar().sees(gateway.address, HTTPBIN).await, Saw::Bytes(b"220 ready\r\n".to_vec()));
}

#[tokio::test]
async fn the_first_protocol_of_the_client_s_list_that_is_istio_s_or_http_is_selected() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let offers: [(&[&str], Option<&str>); 6] = [
        (&["istio-peer-exchange", "istio"], Some("istio")),
        (&["istio-http/1.1", "istio", "http/1.1"], Some("istio-http/1.1")),
        (&["istio-h2", "istio", "h2"], Some("istio-h2")),
        (&["h2", "http/1.1"], Some("h2")),
        (&["something-else"], None),
        (&[], None),
    ];
    for (offered, selected) in offers {
        let stream = world.sidecar().alpn(offered).connect(gateway.address, HTTPBIN).await.unwrap();
        let alpn = stream.get_ref().1.alpn_protocol();
        assert_eq!(alpn, selected.map(str::as_bytes), "{offered:?}");
    }
}

#[tokio::test]
async fn a_service_with_alpn_set_is_strict_about_it() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "alpn = [\"istio\"]")).await;
    let saw = world.sidecar().alpn(&["h2"]).sees(gateway.address, HTTPBIN).await;
    assert_eq!(saw, Saw::Alert(120));
    assert_eq!(gateway.outcome().await.reason, Reason::AlpnMismatch);
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
}

#[tokio::test]
async fn tls_1_2_is_refused_unless_the_file_lowers_the_minimum() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let old = Sidecar::tls12(&world.sleep_svid(), &world.local.bundle());
    let services = World::httpbin(&[endpoint.address], "");

    let mut strict = world.gateway(&services).await;
    assert_eq!(old.sees(strict.address, HTTPBIN).await, Saw::Alert(70));
    assert_eq!(strict.outcome().await.reason, Reason::Version);

    let mut lenient = world.gateway(&format!("[tls]\nmin = \"1.2\"\n{services}")).await;
    assert_eq!(old.ask(lenient.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    assert_eq!(lenient.outcome().await.tls.unwrap().version, "TLSv1.2");
}

#[tokio::test]
async fn audit_lets_a_caller_through_whom_nobody_allowed_and_says_so() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "authorization = \"audit\"")).await;
    let stranger = world.remote.svid("ns/default/sa/stranger");
    assert_eq!(world.sidecar_of(&stranger).ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    assert!(gateway.outcome().await.would_deny);
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    assert!(!gateway.outcome().await.would_deny);
    // Authentication is never relaxed.
    let nobody = Sidecar::anonymous(&world.local.bundle());
    assert_eq!(nobody.sees(gateway.address, HTTPBIN).await, Saw::Alert(116));
}

#[tokio::test]
async fn a_service_presents_the_identity_that_it_names() {
    let world = World::default();
    let endpoint = Server::echo().await;
    world.folder.write_svid("httpbin", &world.local.svid("ns/default/sa/httpbin"));
    let identities = "[identities.httpbin]\ncertificate = \"httpbin.pem\"\nprivate_key = \"httpbin.key\"\n";
    let services = World::httpbin(&[endpoint.address], "identity = \"httpbin\"");
    let gateway = world.gateway(&format!("{identities}{services}")).await;
    let stream = world.sidecar().connect(gateway.address, HTTPBIN).await.unwrap();
    let presented = stream.get_ref().1.peer_certificates().unwrap();
    let pair = landbridge::KeyPair::load(
        &landbridge::config::KeyPairFiles::Pair {
            certificate: world.folder.path().join("httpbin.pem"),
            private_key: world.folder.path().join("httpbin.key"),
        },
        rustls_pki_types::UnixTime::now(),
    )
    .unwrap();
    assert_eq!(presented, pair.chain());
}

#[tokio::test]
async fn a_certificate_that_expires_ends_its_connection_only_where_the_service_asks_for_it() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let services = World::httpbin(&[endpoint.address], "close_on_cert_expiry = true");
    let timeouts = "[timeouts]\nexpiry_jitter = \"100ms\"\n";
    let mut gateway = world.gateway(&(timeouts.to_owned() + &services)).await;
    let brief = brief(&world);
    let mut stream = world.sidecar_of(&brief).connect(gateway.address, HTTPBIN).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    let mut piece = [0; 1];
    stream.read_exact(&mut piece).await.unwrap();
    let end = stream.read(&mut piece).await.unwrap_err();
    assert_eq!(Saw::of(&end), Saw::Reset);
    assert_eq!(gateway.outcome().await.reason, Reason::Expired);
}

#[tokio::test]
async fn a_certificate_that_has_expired_lets_its_connection_live_through_the_grace_and_lets_none_in() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let services = World::httpbin(&[endpoint.address], "close_on_cert_expiry = true");
    let timeouts = "[timeouts]\nexpiry_grace = \"1h\"\nexpiry_jitter = \"off\"\n";
    let gateway = world.gateway(&(timeouts.to_owned() + &services)).await;
    let sidecar = world.sidecar_of(&brief(&world));
    let mut stream = sidecar.connect(gateway.address, HTTPBIN).await.unwrap();
    let mut echoes = async |byte: &[u8; 1]| {
        stream.write_all(byte).await.unwrap();
        let mut piece = [0; 1];
        stream.read_exact(&mut piece).await.unwrap();
        assert_eq!(piece, *byte);
    };
    echoes(b"x").await;
    // Its end has come when it lets nobody in any more.
    let refused = async { while sidecar.ask(gateway.address, HTTPBIN, b"y").await != Err(Saw::Alert(45)) {} };
    landbridge_testkit::soon("the end of the certificate", refused).await;
    echoes(b"z").await;
}

/// The usual caller, by a certificate that ends within three seconds.
fn brief(world: &World) -> landbridge_testkit::pki::Svid {
    let mut options = landbridge_testkit::pki::Mesh::options();
    options.uris = vec![world.remote.id(landbridge_testkit::world::SLEEP)];
    let end = rustls_pki_types::UnixTime::now().as_secs() + 3;
    options.validity.not_after =
        rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(end));
    world.remote.issue(&options)
}
