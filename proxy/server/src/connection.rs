//! One connection, from accept to close, told in order.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use landbridge_core::policy::{Permit, Unseen};
use landbridge_core::service::{MissingCloseNotify, Mode, Service};
use landbridge_core::table::Route;
use landbridge_core::{Caller, Reason};
use landbridge_splice::{Cause, Cut, End, Ended, Options, Side, duplex};
use rustls_pki_types::UnixTime;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::admission::{Held, Share};
use crate::expiry;
use crate::handshake::{self, Chosen};
use crate::proxy_protocol;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::registry::{Ending, Live, Registered, Standing};
use crate::rendezvous;
use crate::shared::Shared;
use crate::updates;
use crate::upstream::{self, Connected, Opening};

/// A connection that was admitted.
pub(crate) struct Accepted {
    pub(crate) tcp: TcpStream,
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
    /// Its share of `limits.connections`.
    pub(crate) admission: OwnedSemaphorePermit,
}

/// Serves one connection and reports its outcome once.
pub(crate) async fn run(shared: Arc<Shared>, accepted: Accepted) {
    let Accepted { tcp, remote, local, admission } = accepted;
    let id = shared.next_id.fetch_add(1, Ordering::Relaxed);
    let registered = shared.registry.register(id);
    let live = &*registered.live;
    let mut record = Record::new(&shared, &registered.live, remote, local);

    let told = tokio::select! {
        biased;
        told = story(&shared, &registered, tcp, &mut record) => told,
        ending = ended_before_splice(live) => Err(Refusal::reset(ending.reason)),
    };
    match told {
        Ok(ended) => {
            let (reason, error) = tell(live, ended);
            record.finish(reason, error);
        }
        Err(refusal) if refusal.reason == Reason::Probe => record.probe(),
        Err(refusal) => {
            record.finish(refusal.reason, refusal.error);
            Box::pin(refusal.farewell.say()).await;
        }
    }
    drop(registered);
    drop(admission);
}

/// Opens the connection to its endpoint, and lets bytes flow until both sides have ended.
async fn story(
    shared: &Arc<Shared>,
    registered: &Registered<'_>,
    tcp: TcpStream,
    record: &mut Record,
) -> Result<Ended, Refusal> {
    let live = &*registered.live;
    // What it takes to come so far is given back before bytes flow: a connection is idle for most of its life.
    let opened = Box::pin(open(shared, registered, tcp, record)).await?;
    let cut = pin!(cut(live, opened.ends));
    Ok(duplex(opened.downstream, opened.upstream.side, &opened.options, &live.tally, cut).await)
}

/// A connection whose both sides are there, and what it has its share of.
struct Opened<'a> {
    downstream: Side,
    /// With it, the endpoint's count of connections.
    upstream: Connected,
    options: Options<'a>,
    /// When the caller's certificate ends it.
    ends: Option<Instant>,
    _share: Share<'a>,
    _held: Held<'a>,
}

/// The steps, in order: who the load balancer says it is, hello, snapshot, route, handshake, permit,
/// connect.
///
/// No step can be skipped: `connect` takes the permit that only a policy makes, and the policy takes the
/// caller that only a verified handshake or a passed-through service has.
async fn open<'a>(
    shared: &'a Arc<Shared>,
    registered: &Registered<'_>,
    mut tcp: TcpStream,
    record: &mut Record,
) -> Result<Opened<'a>, Refusal> {
    let live = &*registered.live;
    let behind = proxy_protocol::announced(shared, &mut tcp, record).await?;
    live.come_from(record.client());
    let share = shared.admission.sources.add(&record.source().into()).map_err(Refusal::reset)?;
    let (tcp, hello) = handshake::hello(shared, tcp, behind, record).await?;

    let generation = shared.current.load_full();
    record.note(|outcome| outcome.generation = generation.number);
    let (tcp, route) = handshake::route(shared, tcp, hello.sni(), &generation, record)?;
    let service = &route.service;
    if let Err(reason) = shared.admission.check_service(&service.name) {
        return Err(Refusal::before_server_hello(tcp, reason));
    }

    let sni: Arc<str> = hello.sni().unwrap_or_default().into();
    let (downstream, caller, svid) = match service.mode {
        Mode::Terminate => {
            let chosen = Chosen { generation: &generation, route: &route };
            let secured = Box::pin(handshake::terminate(shared, tcp, hello, chosen, record)).await?;
            let caller = Caller::Verified(secured.svid.identity.clone());
            (Downstream::Secured(secured.side), caller, Some(secured.svid))
        }
        Mode::Passthrough => {
            (Downstream::Untouched(tcp, hello.into_raw()), Caller::Unseen(Unseen::Passthrough), None)
        }
    };

    // Fixed here, so that no later jump of the wall clock cuts whoever is connected.
    let ends = svid.as_ref().filter(|_| service.close_on_cert_expiry);
    let ends =
        ends.and_then(|svid| expiry::deadline(svid.not_after, UnixTime::now(), &shared.config.timeouts));
    let permit = route
        .policy()
        .check(&caller)
        .map_err(|denied| Refusal::reset(Reason::Denied).because(denied.to_string()))?;
    record.note(|outcome| outcome.would_deny = permit.would_deny());
    let held = match shared.admission.hold(&service.name, &caller) {
        Ok(held) => held,
        Err(reason) => return Err(downstream.refuse(Refusal::reset(reason))),
    };
    tell_permitted(live, generation.number, &route, &caller, &permit);
    // From here on a change finds this connection; one that came before it is made up for now.
    let standing = Standing { caller, svid, sni, service: service.name.clone() };
    rendezvous::stand(&shared.current, registered, standing, &generation, updates::may_stay);
    if let Some(ending) = live.ending() {
        return Err(Refusal::reset(ending.reason));
    }
    record.opened(service);

    let opening = Opening::of(&generation, service, record)?;
    let upstream = match upstream::connect(shared, &permit, &route.pool, opening, record).await {
        Ok(upstream) => upstream,
        Err(refusal) => return Err(downstream.refuse(refusal)),
    };

    live.begin_splice(upstream.took);
    let (downstream, options) = (downstream.into_side(), options(shared, service));
    Ok(Opened { downstream, upstream, options, ends, _share: share, _held: held })
}

/// Tells, for who looks for it, by which grant a caller was let in.
fn tell_permitted(live: &Live, generation: u64, route: &Route, caller: &Caller, permit: &Permit) {
    let Caller::Verified(identity) = caller else { return };
    let grant = permit.grant().and_then(|index| route.policy().grant(index));
    tracing::debug!(
        connection = live.id,
        service = &*route.service.name,
        subset = route.subset(),
        identity = %identity.id,
        trust = %identity.trust,
        index = permit.grant(),
        grant = grant.map(tracing::field::display),
        alias = grant.is_some_and(|grant| grant.alias_of.is_some()),
        generation,
        "permitted"
    );
}

/// The client's side until it is spliced.
enum Downstream {
    /// Its TLS ends here.
    Secured(Side),
    /// Its TLS goes on to the endpoint; these are the bytes of it that were read so far.
    Untouched(TcpStream, Vec<u8>),
}

impl Downstream {
    /// Refuses for want of an endpoint. Where nothing was answered yet, an alert can still tell the
    /// client, as it does where no endpoint is usable; after a handshake only a reset can.
    fn refuse(self, refusal: Refusal) -> Refusal {
        match self {
            Self::Secured(_) => refusal,
            Self::Untouched(tcp, _) => refusal.told_by(tcp, Reason::NoEndpoint),
        }
    }

    fn into_side(self) -> Side {
        match self {
            Self::Secured(side) => side,
            Self::Untouched(tcp, raw) => Side::plain_with(tcp, raw),
        }
    }
}

/// Waits for somebody outside to end the connection while it is not spliced yet. Afterwards the splice
/// itself hears of it, so that it can deliver what it accepted.
async fn ended_before_splice(live: &Live) -> Ending {
    let ending = live.ended().await;
    if live.is_spliced() { pending().await } else { ending }
}

/// Resolves when somebody outside, or the caller's certificate, ends the connection.
async fn cut(live: &Live, ends: Option<Instant>) -> Cut {
    let ending = tokio::select! {
        biased;
        ending = live.ended() => ending,
        () = expiry::reached(ends) => {
            live.end(Ending { reason: Reason::Expired, flush: None });
            live.ended().await
        }
    };
    ending.flush.map_or(Cut::Now, Cut::Flush)
}

fn options<'a>(shared: &'a Shared, service: &Service) -> Options<'a> {
    let timeouts = &shared.config.timeouts;
    Options {
        idle: timeouts.idle,
        half_close: timeouts.half_close,
        flush: timeouts.flush,
        missing_close_notify: match service.missing_close_notify {
            MissingCloseNotify::Reset => landbridge_splice::MissingCloseNotify::Reset,
            MissingCloseNotify::Fin => landbridge_splice::MissingCloseNotify::Fin,
        },
        lean: Some(shared.pressure.lean()),
        pipes: Some(&shared.pipes),
        buffers: Some(&shared.buffers),
    }
}

/// What the log says of the way a splice ended.
fn tell(live: &Live, ended: Ended) -> (Reason, Option<String>) {
    let reason = match &ended.cause {
        Cause::Clean => Reason::Done,
        Cause::Idle => Reason::Idle,
        Cause::HalfCloseIdle => Reason::HalfCloseIdle,
        Cause::Cut => live.ending().map_or(Reason::Internal, |ending| ending.reason),
        Cause::Truncated(End::Downstream) => Reason::Truncated,
        Cause::Reset(End::Downstream) => Reason::DownstreamReset,
        Cause::Reset(End::Upstream) => Reason::UpstreamReset,
        Cause::Alert(End::Downstream, _) | Cause::Protocol(End::Downstream, _) => Reason::DownstreamProtocol,
        Cause::Truncated(End::Upstream)
        | Cause::Alert(End::Upstream, _)
        | Cause::Protocol(End::Upstream, _) => Reason::UpstreamProtocol,
        Cause::Io(End::Downstream, _) => Reason::DownstreamLost,
        Cause::Io(End::Upstream, _) => Reason::UpstreamLost,
        Cause::FlushTimeout(End::Downstream) => Reason::DownstreamStalled,
        Cause::FlushTimeout(End::Upstream) => Reason::UpstreamStalled,
    };
    let error = match ended.cause {
        Cause::Alert(_, alert) => Some(format!("received alert {alert:?}")),
        Cause::Protocol(_, error) => Some(error.to_string()),
        Cause::Io(_, error) => Some(error.to_string()),
        _ => None,
    };
    (reason, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the future that `_make` makes.
    fn size_of_future<A, B, F: Future>(_make: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connection_s_task_is_small() {
        // Each idle connection has it. Who makes it grow should know.
        let bytes = size_of_future(run);
        assert!(bytes <= 2176, "{bytes} bytes");
    }
}
