//! Streams checked byte by byte through the gateway, and ended in every way that needs no process of its own.
//!
//! The checker itself, and that it catches what is wrong, is in `tests/streams`.

use std::sync::Arc;
use std::time::Duration;

use landbridge_streams::{
    Board, Caller, Endpoint, Load, Mode, Scenario, Score, client_config, exchange, server_config,
};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::world::{HTTPBIN, World};
use rustls_pki_types::ServerName;
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a stream, about: few, or so many that the gateway splices them where it passes them through.
const SHORT: u64 = 60_000;
const LONG: u64 = 2_000_000;

/// Both ends of connections through a gateway.
struct Scene {
    caller: Arc<Caller>,
    endpoint: Arc<Endpoint>,
    _gateway: TestGateway,
    _world: World,
}

impl Scene {
    /// With a head of the configuration.
    async fn set(mode: Mode, head: &str) -> Self {
        let world = World::default();
        let board = Arc::new(Board::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let httpbin = world.local.svid("ns/default/sa/httpbin");
        let (endpoint, service) = match mode {
            Mode::Terminate => (
                Endpoint::plain(listener, board.clone(), PATIENCE),
                World::httpbin(&[address], "balance = \"round_robin\""),
            ),
            Mode::Passthrough => {
                let tls = server_config(&httpbin.chain, &httpbin.key).unwrap();
                let endpoint = Endpoint::tls(listener, tls, board.clone(), PATIENCE);
                (endpoint, World::httpbin_passed_through(&[address], ""))
            }
            Mode::Raw => (
                Endpoint::raw(listener, board.clone(), PATIENCE),
                World::httpbin_passed_through(&[address], ""),
            ),
        };
        let gateway = world.gateway(&format!("{head}{service}")).await;
        let identity = world.sleep_svid();
        let caller = Caller {
            gateway: gateway.address,
            sni: ServerName::try_from(HTTPBIN).unwrap(),
            mode,
            tls: client_config(Some((&identity.chain, &identity.key)), &world.local.bundle()).unwrap(),
            run: 1,
            patience: PATIENCE,
            board,
        };
        let (caller, endpoint) = (Arc::new(caller), Arc::new(endpoint.unwrap()));
        Self { caller, endpoint, _gateway: gateway, _world: world }
    }

    /// Makes connections that end so, of which each number makes another one.
    async fn score(&self, scenario: Scenario, first: u64, connections: u64, mean: u64) -> Score {
        let load = Load { scenarios: vec![scenario], first, connections, concurrency: 4, mean };
        exchange(&self.caller, Some(&self.endpoint), &load).await
    }

    /// Goes through every scenario that needs no process of its own.
    async fn every_simple_end_is_true(mode: Mode, mean: u64) {
        let scene = Self::set(mode, "").await;
        let scenarios =
            Scenario::ALL.into_iter().filter(|scenario| scenario.is_simple() && scenario.fits(mode));
        for (nth, scenario) in (0..).zip(scenarios) {
            let score = scene.score(scenario, nth * 100, 8, mean).await;
            assert!(score.is_good(), "{scenario}: {score:#?}");
            let exact = score.forth.exact + score.back.exact;
            // Whatever is cut is seen to be cut by somebody, and what is not is whole.
            let cut = score.cut() + score.missing + score.forth.unread + score.back.unread;
            assert_eq!(
                (exact == 16, cut > 0),
                (scenario.is_peaceful(), !scenario.is_peaceful()),
                "{scenario}"
            );
        }
        assert_eq!(scene.endpoint.strays().iter().filter(|end| end.is_clean()).count(), 0);
    }

    async fn idle_streams_are_reset_on_both_sides(mode: Mode) {
        let scene = Self::set(mode, "[timeouts]\nidle = \"300ms\"\n").await;
        let score = scene.score(Scenario::Idle, 0, 4, SHORT).await;
        assert!(score.is_good(), "{score:#?}");
        assert_eq!((score.forth.truthful, score.back.truthful), (4, 4));
        assert_eq!((score.forth.seen.get("RST"), score.back.seen.get("RST")), (Some(&4), Some(&4)));
    }
}

#[tokio::test]
async fn every_end_of_a_terminated_stream_is_true_and_every_byte_exact() {
    Scene::every_simple_end_is_true(Mode::Terminate, SHORT).await;
}

#[tokio::test]
async fn every_end_of_a_stream_that_is_passed_through_is_true_and_every_byte_exact() {
    Scene::every_simple_end_is_true(Mode::Passthrough, SHORT).await;
}

#[tokio::test]
async fn every_end_of_a_stream_that_hides_behind_a_hello_is_true_and_every_byte_exact() {
    Scene::every_simple_end_is_true(Mode::Raw, SHORT).await;
}

#[tokio::test]
async fn every_end_of_a_stream_that_changes_to_a_pipe_is_true_and_every_byte_exact() {
    Scene::every_simple_end_is_true(Mode::Raw, LONG).await;
}

#[tokio::test]
async fn streams_that_fall_silent_are_reset_on_both_sides_after_every_byte() {
    Scene::idle_streams_are_reset_on_both_sides(Mode::Terminate).await;
    Scene::idle_streams_are_reset_on_both_sides(Mode::Raw).await;
}
