//! Whether the gateway is ready for traffic, and whether it is alive.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Response, StatusCode};
use landbridge::{Handle, Phase};
use tokio::net::TcpListener;

use crate::http::{Listener, serve, text};

/// Answers `GET /healthz/ready` and `GET /healthz/live` (`/ready` and `/live` for short) until it is
/// dropped.
///
/// Ready is 200 while the gateway accepts and is not draining, else 503 with one line that says why.
/// Live is 200 as long as this runtime answers and no worker hangs: `hanging` is how many do, as whoever watches them
/// says, and stays 0 where nobody does.
///
/// # Cancel safety
/// Dropping the future closes the listener.
pub async fn serve_health(listener: TcpListener, gateway: Handle, hanging: Arc<AtomicU64>) {
    serve(Listener::Tcp(listener), move |request, _| {
        let hanging = hanging.load(Ordering::Relaxed);
        ready(answer(request.method(), request.uri().path(), gateway.phase(), hanging))
    })
    .await;
}

/// Whether traffic should be sent here, and if not, why.
pub(crate) fn ready_or_not(phase: Phase) -> Response<Full<Bytes>> {
    match phase {
        Phase::Serving => text(StatusCode::OK, "ready\n"),
        Phase::Starting => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: starting\n"),
        Phase::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: draining\n"),
        Phase::Stopped => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: stopped\n"),
    }
}

/// Whether the process should go on; where so many workers hang, it is better started anew.
pub(crate) fn live_or_not(hanging: u64) -> Response<Full<Bytes>> {
    match hanging {
        0 => text(StatusCode::OK, "live\n"),
        1 => text(StatusCode::SERVICE_UNAVAILABLE, "not live: a worker hangs\n"),
        many => text(StatusCode::SERVICE_UNAVAILABLE, format!("not live: {many} workers hang\n")),
    }
}

fn answer(method: &Method, path: &str, phase: Phase, hanging: u64) -> Response<Full<Bytes>> {
    let readable = method == Method::GET || method == Method::HEAD;
    match path {
        "/healthz/ready" | "/ready" | "/healthz/live" | "/live" if !readable => {
            text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")
        }
        "/healthz/ready" | "/ready" => ready_or_not(phase),
        "/healthz/live" | "/live" => live_or_not(hanging),
        _ => text(StatusCode::NOT_FOUND, "try /healthz/ready or /healthz/live\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, path: &str, phase: Phase) -> u16 {
        answer(method, path, phase, 0).status().as_u16()
    }

    #[test]
    fn only_a_serving_gateway_is_ready_and_any_is_live() {
        for (phase, ready) in
            [(Phase::Starting, 503), (Phase::Serving, 200), (Phase::Draining, 503), (Phase::Stopped, 503)]
        {
            assert_eq!(status(&Method::GET, "/healthz/ready", phase), ready);
            assert_eq!(status(&Method::HEAD, "/ready", phase), ready);
            assert_eq!(status(&Method::GET, "/healthz/live", phase), 200);
        }
    }

    #[test]
    fn a_worker_that_hangs_is_no_life_and_has_no_say_in_readiness() {
        for (hanging, live) in [(0, 200), (1, 503), (2, 503)] {
            let status = |path| answer(&Method::GET, path, Phase::Serving, hanging).status().as_u16();
            assert_eq!((status("/healthz/live"), status("/live")), (live, live));
            assert_eq!(status("/healthz/ready"), 200);
        }
    }

    #[test]
    fn other_paths_and_methods_are_told_so() {
        assert_eq!(status(&Method::GET, "/", Phase::Serving), 404);
        assert_eq!(status(&Method::POST, "/healthz/ready", Phase::Serving), 405);
    }
}
