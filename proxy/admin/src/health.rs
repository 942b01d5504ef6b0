//! Whether the gateway is ready for traffic, and whether it is alive.

use std::future::ready;

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
/// Live is 200 as long as this runtime answers.
///
/// # Cancel safety
/// Dropping the future closes the listener.
pub async fn serve_health(listener: TcpListener, gateway: Handle) {
    serve(Listener::Tcp(listener), move |request, _| {
        ready(answer(request.method(), request.uri().path(), gateway.phase()))
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

/// What whoever runs answers.
pub(crate) fn live() -> Response<Full<Bytes>> {
    text(StatusCode::OK, "live\n")
}

fn answer(method: &Method, path: &str, phase: Phase) -> Response<Full<Bytes>> {
    let readable = method == Method::GET || method == Method::HEAD;
    match path {
        "/healthz/ready" | "/ready" | "/healthz/live" | "/live" if !readable => {
            text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")
        }
        "/healthz/ready" | "/ready" => ready_or_not(phase),
        "/healthz/live" | "/live" => live(),
        _ => text(StatusCode::NOT_FOUND, "try /healthz/ready or /healthz/live\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, path: &str, phase: Phase) -> u16 {
        answer(method, path, phase).status().as_u16()
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
    fn other_paths_and_methods_are_told_so() {
        assert_eq!(status(&Method::GET, "/", Phase::Serving), 404);
        assert_eq!(status(&Method::POST, "/healthz/ready", Phase::Serving), 405);
    }
}
