//! How a connection begins: the hello, the route, and the rest of the handshake.

mod prefixed;

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_certs::{Acceptance, Hello, HelloError, HelloReader, Svid, Verdict, reason_of, select_alpn};
use landbridge_core::Reason;
use landbridge_core::outcome::TlsFacts;
use landbridge_core::table::Route;
use landbridge_splice::Side;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};
use rustls_pki_types::UnixTime;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::server::StartHandshake;

use self::prefixed::Prefixed;
use crate::generation::Generation;
use crate::record::Record;
use crate::refusal::{Farewell, Refusal};
use crate::shared::Shared;

/// A connection whose mutual TLS is established.
pub(crate) struct Secured {
    pub(crate) side: Side,
    pub(crate) svid: Svid,
}

/// What a connection is decided by, and where it asked to go.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<'a> {
    pub(crate) generation: &'a Generation,
    pub(crate) route: &'a Arc<Route>,
}

/// Reads the ClientHello, in whatever pieces it comes, under one absolute deadline and a cap; `behind` is
/// what came of it already, behind a PROXY header.
pub(crate) async fn hello(
    shared: &Shared,
    mut tcp: TcpStream,
    behind: Vec<u8>,
    record: &mut Record,
) -> Result<(TcpStream, Hello), Refusal> {
    let free = shared.connections.available_permits();
    let _awaited = shared.admission.await_hello(record.live(), record.source().into(), free);
    let mut reader = HelloReader::new(shared.config.limits.client_hello_bytes);
    let deadline = deadline(record.started(), shared.config.timeouts.client_hello);
    let read = tokio::select! {
        biased;
        read = read_hello(&mut tcp, &behind, &mut reader) => read,
        () = deadline => Err(Refusal::reset(Reason::HelloTimeout)),
    };
    match read {
        Ok(hello) => {
            record.note(|outcome| outcome.sni = hello.sni().map(Into::into));
            Ok((tcp, hello))
        }
        Err(mut refusal) => {
            if let Farewell::Unsaid(alert) = refusal.farewell {
                refusal.farewell = Farewell::Alert(tcp, alert);
            }
            Err(refusal)
        }
    }
}

async fn read_hello(tcp: &mut TcpStream, behind: &[u8], reader: &mut HelloReader) -> Result<Hello, Refusal> {
    let mut fed = reader.feed(behind).map_err(broken)?;
    loop {
        if let Some(hello) = fed {
            return Ok(hello);
        }
        fed = match feed_some(tcp, reader).await {
            Ok(fed) => fed.map_err(broken)?,
            Err(_) if reader.is_empty() => return Err(Refusal::reset(Reason::Probe)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(Refusal::reset(Reason::HandshakeClosed));
            }
            Err(error) => return Err(Refusal::reset(Reason::HandshakeReset).because(error.to_string())),
        };
    }
}

/// Feeds the reader with what has come.
///
/// The bytes are on the stack only while they are read: a connection that is silent has no room for them.
async fn feed_some(
    tcp: &TcpStream,
    reader: &mut HelloReader,
) -> io::Result<Result<Option<Hello>, HelloError>> {
    loop {
        tcp.readable().await?;
        let mut piece = [0; 2048];
        match tcp.try_read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => return Ok(reader.feed(piece.get(..count).unwrap_or_default())),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}

fn broken(broken: HelloError) -> Refusal {
    let error = broken.error.map(|error| error.to_string());
    Refusal { reason: broken.reason, error, farewell: Farewell::Unsaid(broken.alert) }
}

/// Reads what has come; 0 is the end of the stream.
pub(crate) async fn read_some(tcp: &mut TcpStream, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        match tcp.read(piece).await {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Finds where the name leads, and whether any endpoint there can be used; if not, says so before
/// ServerHello, so that a sidecar sees a failed connect and can go elsewhere.
pub(crate) fn route(
    shared: &Shared,
    tcp: TcpStream,
    sni: Option<&str>,
    generation: &Generation,
    record: &mut Record,
) -> Result<(TcpStream, Arc<Route>), Refusal> {
    let Some(sni) = sni else {
        return Err(Refusal::before_server_hello(tcp, Reason::NoSni));
    };
    let Some(route) = generation.table.find(sni) else {
        return Err(Refusal::before_server_hello(tcp, Reason::SniUnknown));
    };
    record.note(|outcome| {
        outcome.service = Some(route.service.name.clone());
        outcome.mode = Some(route.service.mode);
    });
    if !route.pool.has_usable(shared.epoch.elapsed()) {
        return Err(Refusal::before_server_hello(tcp, Reason::NoEndpoint));
    }
    Ok((tcp, route.clone()))
}

/// Finishes the handshake that `hello` began, within the time left of `timeouts.handshake`.
///
/// The caller's certificate is verified and its grant looked up inside the handshake, so that a caller
/// who may not come in learns it from the alert.
pub(crate) async fn terminate(
    shared: &Shared,
    tcp: TcpStream,
    hello: Hello,
    chosen: Chosen<'_>,
    record: &mut Record,
) -> Result<Secured, Refusal> {
    let mut deadline = pin!(deadline(record.started(), shared.config.timeouts.handshake));
    let turns = &shared.admission.handshakes;
    let turn = tokio::select! {
        biased;
        turn = turns.take(record.source().into(), record.live()) => turn.ok(),
        () = &mut deadline => None,
    };
    let Some(turn) = turn else { return Err(Refusal::reset(Reason::HandshakeLimit)) };
    let accepted = tokio::select! {
        biased;
        accepted = accept(tcp, hello, chosen) => accepted,
        () = deadline => Err(Refusal::reset(Reason::HandshakeTimeout)),
    };
    drop(turn);
    let elapsed = record.started().elapsed();
    record.note(|outcome| outcome.handshake = Some(elapsed));
    let (tcp, connection, verdict) = accepted?;
    record.note(|outcome| outcome.tls = Some(facts(&connection)));
    let svid = caller(&connection, &verdict)?;
    record.note(|outcome| outcome.peer = Some(svid.identity.clone()));
    Ok(Secured { side: Side::tls(tcp, connection), svid })
}

/// Who the caller is: by the handshake just over or, where that resumed a session, by the session's
/// chain, which is judged again. Too late for an alert, so that a refusal is a reset.
fn caller(connection: &ServerConnection, verdict: &Verdict) -> Result<Svid, Refusal> {
    match verdict.proven(connection) {
        Some(svid) => Ok(svid.clone()),
        None => verdict
            .proven_again(connection, UnixTime::now())
            .map_err(|refusal| Refusal::reset(refusal.reason).because(refusal.detail)),
    }
}

async fn accept(
    tcp: TcpStream,
    hello: Hello,
    Chosen { generation, route }: Chosen<'_>,
) -> Result<(TcpStream, ServerConnection, Arc<Verdict>), Refusal> {
    let service = &route.service;
    let Some(key) = generation.key_pair(service) else {
        // Checked when the generation was made.
        let refusal = Refusal::before_server_hello(tcp, Reason::Internal);
        return Err(refusal.because("the service has no identity"));
    };
    let alpn = match select_alpn(&service.alpn, hello.alpn()) {
        Ok(alpn) => alpn,
        Err(mismatch) => {
            return Err(Refusal::before_server_hello(tcp, Reason::AlpnMismatch).because(mismatch.to_string()));
        }
    };
    let verdict = Verdict::new();
    let config = generation.tls.server_config(Acceptance {
        hello: &hello,
        trust: generation.credentials.trust().clone(),
        key,
        route: route.clone(),
        alpn,
        verdict: verdict.clone(),
    });
    let (accepted, rest) = hello.into_accepted();
    let start = StartHandshake::from_parts(accepted, Prefixed::new(rest, tcp));
    match start.into_stream(config).into_fallible().await {
        Ok(stream) => {
            let (prefixed, mut connection) = stream.into_inner();
            let (tcp, behind) = prefixed.into_parts();
            hand_on(&mut connection, &behind)
                .map_err(|error| Refusal::reset(Reason::Internal).because(error.to_string()))?;
            Ok((tcp, connection, verdict))
        }
        Err((error, prefixed)) => Err(refused(&error, prefixed.into_parts().0, &verdict)),
    }
}

/// Lets `connection` keep what came behind the handshake, and look at none of it: that is for the splice.
fn hand_on(connection: &mut ServerConnection, mut behind: &[u8]) -> io::Result<()> {
    while !behind.is_empty() {
        if connection.read_tls(&mut behind)? == 0 {
            return Err(io::Error::other("rustls takes nothing behind the handshake"));
        }
    }
    Ok(())
}

/// Why the handshake failed. rustls has sent its alert already; it is left the time to arrive.
fn refused(error: &io::Error, tcp: TcpStream, verdict: &Verdict) -> Refusal {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(tls) => {
            let detail = verdict.refusal().map_or_else(|| tls.to_string(), |refusal| refusal.detail.clone());
            let reason = reason_of(tls, Some(verdict));
            Refusal { reason, error: Some(detail), farewell: Farewell::Alert(tcp, Vec::new()) }
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => Refusal::reset(Reason::HandshakeClosed),
        None => Refusal::reset(Reason::HandshakeReset).because(error.to_string()),
    }
}

fn facts(connection: &ServerConnection) -> TlsFacts {
    let suite = connection.negotiated_cipher_suite();
    TlsFacts {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        // rustls writes TLS13_ where IANA, OpenSSL and Envoy write TLS_.
        cipher: suite
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or("unknown")
            .replacen("TLS13_", "TLS_", 1),
        group: connection
            .negotiated_key_exchange_group()
            .and_then(|group| group.name().as_str())
            .unwrap_or("unknown")
            .to_owned(),
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        alpn: connection.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
    }
}

/// Resolves `limit` after `started`; never, where there is no limit.
///
/// A process that was stopped may hear of the time first and then of what came meanwhile (under SIGCONT epoll_wait
/// returns with nothing, signal(7)). So it lets sockets be asked once more.
pub(crate) async fn deadline(started: Instant, limit: Option<Duration>) {
    let Some(limit) = limit else { return pending().await };
    tokio::time::sleep_until((started + limit).into()).await;
    tokio::task::yield_now().await;
}
