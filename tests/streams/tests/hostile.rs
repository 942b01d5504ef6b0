//! Relays that do harm, each of which the checker must catch, and one that does none.

#![cfg(test)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landbridge_streams::{
    Board, Caller, Ending, Endpoint, Fault, Load, Mode, PACE, Plan, Plans, Reading, Record, Scenario, Score,
    Seen, Verdict, exchange, exchange_one, hello_config, judge,
};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(60);
/// Where harm is done, somewhere in the middle and not at the edge of anything.
const AT: usize = 40_001;

/// What a relay does to the client's stream, all of which it has first read.
type Harm = fn(&mut Vec<u8>, &[u8]);

/// A relay whose victims' streams are changed on the way to the endpoint; ends are handed on as FIN, always.
async fn relay(endpoint: SocketAddr, harm: Harm) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let others = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(relayed(client, endpoint, harm, others.clone()));
        }
    });
    address
}

async fn relayed(client: TcpStream, endpoint: SocketAddr, harm: Harm, others: Arc<Mutex<Vec<u8>>>) {
    let server = TcpStream::connect(endpoint).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let forth = async {
        let mut stream = Vec::new();
        // A reset ends it like anything else: this relay knows no difference.
        let _ = from_client.read_to_end(&mut stream).await;
        let hello = 5 + usize::from(u16::from_be_bytes([stream[3], stream[4]]));
        let mut payload = stream.split_off(hello);
        let other = std::mem::replace(&mut *others.lock().unwrap(), payload.clone());
        harm(&mut payload, &other);
        let _ = to_server.write_all(&stream).await;
        let _ = to_server.write_all(&payload).await;
        let _ = to_server.shutdown().await;
    };
    let back = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(forth, back);
}

/// Both ends of connections through a relay.
struct Scene {
    caller: Arc<Caller>,
    endpoint: Arc<Endpoint>,
}

impl Scene {
    async fn set(harm: Harm) -> Self {
        Self::patient(harm, PATIENCE).await
    }

    async fn patient(harm: Harm, patience: Duration) -> Self {
        let board = Arc::new(Board::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Arc::new(Endpoint::raw(listener, board.clone(), patience).unwrap());
        let caller = Caller {
            gateway: relay(endpoint.address, harm).await,
            sni: ServerName::try_from("relay.example").unwrap(),
            mode: Mode::Raw,
            tls: hello_config().unwrap(),
            run: 7,
            patience,
            board,
        };
        Self { caller: Arc::new(caller), endpoint }
    }

    /// The endpoint's record of a client's stream of 100,000 bytes, and the verdict on it.
    async fn forth(&self, connection: u64) -> (Record, Verdict) {
        let plans = Plans { client: Plan::clean(100_000), endpoint: Plan::clean(50_000) };
        let client = self.caller.call(connection, plans).await.unwrap();
        assert_eq!((client.saw.clone(), client.received, client.fault), (Seen::Clean, 50_000, None));
        let record = self.endpoint.record(connection).await;
        let verdict = judge(Some(client.sent()), &record).verdict;
        (record, verdict)
    }

    async fn score(&self, scenario: Scenario) -> Score {
        let load =
            Load { scenarios: vec![scenario], first: 1, connections: 20, concurrency: 4, mean: 50_000 };
        exchange(&self.caller, Some(&self.endpoint), &load).await
    }
}

/// The fault of a stream that was harmed so, and how much came rightly before it.
async fn fault_of(harm: Harm) -> (Fault, u64) {
    let scene = Scene::set(harm).await;
    // The second connection has another one before it, whose bytes may come to it.
    scene.forth(1).await;
    let (record, verdict) = scene.forth(2).await;
    let fault = record.fault.unwrap_or_else(|| panic!("not noticed: {verdict} {record:?}"));
    assert_eq!(verdict, Verdict::Wrong(fault));
    (fault, record.received)
}

#[tokio::test]
async fn a_relay_that_does_no_harm_is_found_to_do_none() {
    let scene = Scene::set(|_, _| ()).await;
    assert_eq!(scene.forth(1).await.1, Verdict::Exact);
    let score = scene.score(Scenario::Clean).await;
    assert!(score.is_good(), "{score:?}");
    assert_eq!((score.forth.exact, score.back.exact), (20, 20));
}

#[tokio::test]
async fn who_sends_or_reads_a_little_at_a_time_gets_and_gives_all_the_same() {
    let scene = Scene::set(|_, _| ()).await;
    let (paced, quick) = (Plan::clean(PACE / 2).paced(), Plan::clean(PACE));
    let slow = Plan::clean(1000).reading(Reading::Slowly);
    for (number, client, endpoint) in [(1, paced, paced), (2, slow, quick), (3, quick, slow)] {
        let plans = Plans { client, endpoint };
        let score = exchange_one(&scene.caller, Some(&scene.endpoint), number, plans).await;
        assert!(score.is_good(), "{score:?}");
        assert_eq!((score.forth.exact, score.back.exact), (1, 1));
        assert_eq!((score.forth.bytes, score.back.bytes), (client.length, endpoint.length));
    }
}

#[tokio::test]
async fn a_dropped_byte_is_a_loss_of_one_byte_where_it_was() {
    let (fault, prefix) = fault_of(|stream, _| drop(stream.drain(AT..=AT))).await;
    let Fault::Lost { at, length: 1 } = fault else { panic!("{fault}") };
    assert!(at == prefix && (AT..AT + 4).contains(&usize::try_from(at).unwrap()), "{fault}");
}

#[tokio::test]
async fn a_dropped_block_is_a_loss_of_all_of_it() {
    let (fault, _) = fault_of(|stream, _| drop(stream.drain(AT..AT + 16_384))).await;
    assert!(matches!(fault, Fault::Lost { length: 16_384, .. }), "{fault}");
}

#[tokio::test]
async fn a_block_that_comes_twice_is_a_duplicate() {
    for length in [10, 5000] {
        let harm: Harm =
            if length == 10 { |stream, _| repeat(stream, 10) } else { |stream, _| repeat(stream, 5000) };
        let (fault, _) = fault_of(harm).await;
        assert!(matches!(fault, Fault::Duplicated { length: found, .. } if found == length), "{fault}");
    }
}

fn repeat(stream: &mut Vec<u8>, length: usize) {
    let block = stream[AT..AT + length].to_vec();
    stream.splice(AT + length..AT + length, block);
}

#[tokio::test]
async fn the_last_block_that_comes_twice_is_a_duplicate_too() {
    let (fault, _) = fault_of(|stream, _| stream.extend_from_within(stream.len() - 300..)).await;
    assert_eq!(fault, Fault::Duplicated { at: 100_000, length: 300 });
}

#[tokio::test]
async fn two_blocks_that_changed_places_are_out_of_order() {
    let (fault, _) = fault_of(|stream, _| stream[AT..AT + 9000].rotate_left(4000)).await;
    assert!(matches!(fault, Fault::Reordered { early: 4000, .. }), "{fault}");
}

#[tokio::test]
async fn a_changed_byte_is_a_corruption_of_one_byte() {
    for at in [AT, 99_999] {
        let harm: Harm = if at == AT { |stream, _| stream[AT] ^= 4 } else { |stream, _| stream[99_999] ^= 4 };
        let (fault, _) = fault_of(harm).await;
        assert_eq!(fault, Fault::Corrupted { at: at as u64, length: 1 });
    }
}

#[tokio::test]
async fn bytes_of_another_connection_are_told_with_its_number() {
    let (fault, _) =
        fault_of(|stream, other| drop(stream.splice(AT..AT + 3000, other.iter().copied().take(3000)))).await;
    // The other's header first, which is nobody's cell, then its cells.
    assert!(matches!(fault, Fault::Foreign { from, .. } if from.connection == 1), "{fault}");
}

#[tokio::test]
async fn bytes_of_nobody_are_told_as_such() {
    let (fault, _) = fault_of(|stream, _| drop(stream.splice(AT..AT, [0; 500]))).await;
    assert!(matches!(fault, Fault::Unknown { .. }), "{fault}");
}

#[tokio::test]
async fn more_than_was_sent_is_told_as_such() {
    let (fault, _) = fault_of(|stream, _| stream.extend([1; 20])).await;
    assert_eq!(fault, Fault::Surplus { at: 100_000 });
}

#[tokio::test]
async fn a_fin_behind_a_truncated_stream_is_falsely_clean() {
    for missing in [60_000, 1] {
        let harm: Harm = if missing > 1 {
            |stream, _| stream.truncate(AT)
        } else {
            |stream, _| stream.truncate(stream.len() - 1)
        };
        let scene = Scene::set(harm).await;
        let (record, verdict) = scene.forth(1).await;
        assert_eq!((record.saw, record.fault, verdict), (Seen::Clean, None, Verdict::FalselyClean));
    }
}

#[tokio::test]
async fn what_comes_late_is_not_lost_and_what_never_comes_is() {
    // Much longer on its way than anybody is patient: the endpoint reads a little at a time.
    let late = Scene::patient(|_, _| (), Duration::from_secs(1)).await;
    let client = Plan::clean(8 * PACE + 2000).ending(Ending::Reset, 8 * PACE);
    let plans = Plans { client, endpoint: Plan::clean(1000).reading(Reading::Slowly) };
    let score = exchange_one(&late.caller, Some(&late.endpoint), 1, plans).await;
    assert_eq!((score.missing, score.forth.thrown_away), (0, (0, 0)), "{score:?}");
    let never = Scene::patient(|stream, _| stream.clear(), Duration::from_secs(1)).await;
    let plans = Plans { client, endpoint: Plan::clean(1000) };
    let score = exchange_one(&never.caller, Some(&never.endpoint), 1, plans).await;
    assert_eq!((score.missing, score.forth.thrown_away.0), (1, 1), "{score:?}");
}

#[tokio::test]
async fn a_fin_for_a_reset_is_falsely_clean_every_time() {
    let scene = Scene::set(|_, _| ()).await;
    let score = scene.score(Scenario::ClientReset).await;
    assert!(!score.is_good());
    assert_eq!((score.forth.falsely_clean, score.forth.exact), (20, 0), "{score:?}");
}
