//! Metrics over HTTP.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use super::{Metrics, Watched};
use crate::http::{Listener, serve, text};

/// Prometheus's text format (`exposition_formats.md`).
const TEXT_FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers `GET /stats/prometheus` and `GET /metrics` until it is dropped.
///
/// A scrape is made on the runtime's blocking pool: it may take milliseconds where there is much to tell.
///
/// # Cancel safety
/// Dropping the future closes the listener.
pub async fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>, watched: Watched) {
    let watched = Arc::new(watched);
    serve(Listener::Tcp(listener), move |request, _| {
        let (metrics, watched) = (metrics.clone(), watched.clone());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        async move {
            match refused(&method, &path) {
                Some(response) => response,
                None => scraped(metrics, watched).await,
            }
        }
    })
    .await;
}

fn refused(method: &Method, path: &str) -> Option<Response<Full<Bytes>>> {
    match path {
        "/stats/prometheus" | "/metrics" if matches!(*method, Method::GET | Method::HEAD) => None,
        "/stats/prometheus" | "/metrics" => Some(text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")),
        _ => Some(text(StatusCode::NOT_FOUND, "try /stats/prometheus or /metrics\n")),
    }
}

async fn scraped(metrics: Arc<Metrics>, watched: Arc<Watched>) -> Response<Full<Bytes>> {
    match spawn_blocking(move || metrics.scrape(&watched)).await {
        Ok(Ok(body)) => {
            let mut response = text(StatusCode::OK, body);
            response.headers_mut().insert(CONTENT_TYPE, TEXT_FORMAT);
            response
        }
        Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the scrape failed: {error}\n")),
    }
}
