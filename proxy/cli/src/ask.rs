//! One question over HTTP, to an address or a unix socket.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// The largest answer that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// Says that a change is meant; see docs/admin.md.
const INTENT: &str = "x-landbridge-admin";

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a host and port.
    Tcp {
        /// The host, without the brackets of an IPv6 address.
        host: String,
        /// The port.
        port: u16,
        /// Both, as the URL has them.
        authority: String,
    },
    /// At a unix socket.
    Unix(PathBuf),
}

impl Place {
    /// Where a URL leads.
    ///
    /// # Errors
    /// It is not one of HTTP.
    pub(crate) fn of(url: &Uri) -> anyhow::Result<Self> {
        match url.scheme_str() {
            Some("http") => {}
            Some(other) => bail!("only http is spoken, not {other}"),
            None => bail!("a URL begins with http://"),
        }
        let authority = url.authority().context("the URL names no host")?;
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        Ok(Self::Tcp {
            host: bare.to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
        })
    }

    /// Asks for `path`. POST says that the change is meant.
    ///
    /// # Errors
    /// Nobody listens there (see [`nobody`]), or what answers does not speak HTTP.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        match self {
            Self::Tcp { host, port, authority } => {
                let tcp = TcpStream::connect((host.as_str(), *port)).await?;
                ask_over(tcp, authority, method, path).await
            }
            Self::Unix(socket) => {
                let unix = UnixStream::connect(socket).await?;
                ask_over(unix, "localhost", method, path).await
            }
        }
    }
}

/// The place that is written `http://HOST:PORT` or `unix:/path`.
impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err("expected a path behind unix:".to_owned())
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        let expected = "expected a URL such as http://127.0.0.1:15000, or unix:/path";
        let url: Uri = text.parse().map_err(|_| expected.to_owned())?;
        match url.path() {
            "" | "/" => Self::of(&url).map_err(|error| format!("{expected}: {error}")),
            _ => Err(format!("{expected}, without anything behind the port")),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { authority, .. } => write!(f, "http://{authority}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Whether an error says that nobody listens there.
pub(crate) fn nobody(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(ErrorKind::ConnectionRefused | ErrorKind::NotFound))
}

async fn ask_over<S>(
    stream: S,
    authority: &str,
    method: Method,
    path: &str,
) -> anyhow::Result<(StatusCode, Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the runtime, and its errors are the request's.
    tokio::spawn(connection);
    let mut request = Request::builder().uri(path).header(HOST, authority).header(CONNECTION, "close");
    if method == Method::POST {
        request = request.header(INTENT, "1");
    }
    let request = request.method(method).body(Empty::<Bytes>::new())?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    match Limited::new(body, LARGEST).collect().await {
        Ok(body) => Ok((head.status, body.to_bytes())),
        Err(error) => bail!("the answer broke off: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_url_without_a_path_or_a_unix_socket() {
        let tcp: Place = "http://[::1]:15000".parse().unwrap();
        let expected =
            Place::Tcp { host: "::1".to_owned(), port: 15000, authority: "[::1]:15000".to_owned() };
        assert_eq!(tcp, expected);
        assert_eq!("unix:/run/a.sock".parse(), Ok(Place::Unix("/run/a.sock".into())));
        for place in ["http://127.0.0.1:15000", "unix:/run/a.sock"] {
            assert_eq!(place.parse::<Place>().unwrap().to_string(), place);
        }
        for wrong in ["", "unix:", "127.0.0.1:15000", "https://localhost", "http://localhost/drain"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
