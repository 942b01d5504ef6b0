//! Metrics over HTTP.

use std::io::{self, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY,
};
use hyper::{Method, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use super::{Metrics, Watched};
use crate::http::{Listener, serve, text};

/// Prometheus's text format (`exposition_formats.md`).
const TEXT_FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers `GET /stats/prometheus` and `GET /metrics` until it is dropped.
///
/// A scrape is made on the runtime's blocking pool: it may take milliseconds where there is much to tell. It is
/// compressed for whoever accepts gzip.
///
/// # Cancel safety
/// Dropping the future closes the listener.
pub async fn serve_metrics(listener: TcpListener, metrics: Arc<Metrics>, watched: Watched) {
    let watched = Arc::new(watched);
    serve(Listener::Tcp(listener), move |request, _| {
        let (metrics, watched) = (metrics.clone(), watched.clone());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let coding = Coding::accepted(request.headers());
        async move {
            match refused(&method, &path) {
                Some(response) => response,
                None => scraped(metrics, watched, coding).await,
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

async fn scraped(metrics: Arc<Metrics>, watched: Arc<Watched>, coding: Coding) -> Response<Full<Bytes>> {
    let made = spawn_blocking(move || {
        let body = metrics.scrape(&watched).map_err(|error| error.to_string())?;
        coding.apply(body.into_bytes()).map_err(|error| error.to_string())
    });
    match made.await {
        Ok(Ok(body)) => {
            let mut response = text(StatusCode::OK, body);
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, TEXT_FORMAT);
            headers.insert(VARY, HeaderValue::from(ACCEPT_ENCODING));
            headers.extend(coding.header());
            response
        }
        Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the scrape failed: {error}\n")),
    }
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Gzip,
}

impl Coding {
    /// Gzip for whoever names it or says that anything will do (RFC 9110, 12.5.3), and not with a weight of 0.
    fn accepted(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
        let (mut named, mut any) = (None, None);
        for coding in lines.flat_map(|line| line.split(',')) {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().strip_prefix("q=").map(|weight| weight.trim().parse());
            let wanted = matches!(weight, None | Some(Ok(0.000_1_f32..)));
            match name.trim() {
                name if name.eq_ignore_ascii_case("gzip") => named = Some(wanted),
                "*" => any = Some(wanted),
                _ => {}
            }
        }
        if named.or(any) == Some(true) { Self::Gzip } else { Self::Plain }
    }

    fn apply(self, body: Vec<u8>) -> io::Result<Vec<u8>> {
        if self == Self::Plain {
            return Ok(body);
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body)?;
        encoder.finish()
    }

    fn header(self) -> Option<(HeaderName, HeaderValue)> {
        (self == Self::Gzip).then(|| (CONTENT_ENCODING, HeaderValue::from_static("gzip")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_whoever_accepts_it() {
        for (accepted, coding) in [
            (&[][..], Coding::Plain),
            (&["gzip"], Coding::Gzip),
            (&["deflate, GZIP;q=0.5"], Coding::Gzip),
            (&["deflate", "gzip"], Coding::Gzip),
            (&["*"], Coding::Gzip),
            (&["gzip;q=0"], Coding::Plain),
            (&["*, gzip;q=0.000"], Coding::Plain),
            (&["*;q=0, gzip"], Coding::Gzip),
            (&["gzip;q=much"], Coding::Plain),
            (&["identity, zstd, xgzip"], Coding::Plain),
        ] {
            let mut headers = HeaderMap::new();
            for line in accepted {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_static(line));
            }
            assert_eq!(Coding::accepted(&headers), coding, "{accepted:?}");
        }
    }
}
