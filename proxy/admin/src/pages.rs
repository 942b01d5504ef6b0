//! Pages for whoever runs something beside a gateway, such as a control server: read, and nothing else.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::api::guard::may_read;
use crate::http::{Asker, Listener, serve, text};

/// What a path is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its media type.
    pub media_type: &'static str,
    /// All of it.
    pub body: String,
}

impl Page {
    /// A page for people.
    pub fn text(body: impl Into<String>) -> Self {
        Self { media_type: "text/plain; charset=utf-8", body: body.into() }
    }

    /// Metrics in Prometheus's text format.
    pub fn metrics(body: String) -> Self {
        Self { media_type: "text/plain; version=0.0.4; charset=utf-8", body }
    }

    /// A JSON text.
    pub fn json(body: String) -> Self {
        Self { media_type: "application/json", body }
    }
}

/// Answers GET by `page` until it is dropped; by 404 where that knows no such path. Who may ask is whoever may read a
/// gateway's administration.
///
/// # Cancel safety
/// Dropping the future closes the listener.
pub async fn serve_pages(listener: Listener, page: impl Fn(&str) -> Option<Page> + Send + Sync + 'static) {
    serve(listener, move |request, asker| std::future::ready(answer(&request, asker, &page))).await;
}

fn answer<B>(
    request: &Request<B>,
    asker: Asker,
    page: &impl Fn(&str) -> Option<Page>,
) -> Response<Full<Bytes>> {
    if let Err(why) = may_read(asker, request.headers()) {
        return text(StatusCode::FORBIDDEN, format!("{why}\n"));
    }
    let Some(Page { media_type, body }) = page(request.uri().path()) else {
        return text(StatusCode::NOT_FOUND, "there is no such path; GET /help lists them\n");
    };
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "expected GET or HEAD\n");
    }
    let mut response = text(StatusCode::OK, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_by_its_path_and_by_nobody_s_web_page() {
        let pages = |path: &str| (path == "/a").then(|| Page::json("{}".to_owned()));
        let asker = Asker::Tcp(([127, 0, 0, 1], 5).into());
        let status = |method: Method, path: &str, host: &str| {
            let request = Request::builder().method(method).uri(path).header("host", host).body(()).unwrap();
            answer(&request, asker, &pages).status().as_u16()
        };
        assert_eq!(status(Method::GET, "/a", "localhost"), 200);
        assert_eq!(status(Method::GET, "/b", "localhost"), 404);
        assert_eq!(status(Method::POST, "/a", "localhost"), 405);
        assert_eq!(status(Method::GET, "/a", "evil.example"), 403);
    }
}
