//! `landbridge probe`: one question over HTTP, answered by the exit code.

use std::process::ExitCode;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::args::Probe;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// How much of its first line is shown, in characters.
const SHOWN: usize = 200;

/// Prints the answer's status and first line; 0 if it is a success (2xx), 1 if not.
pub(crate) fn probe(arguments: &Probe) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let Probe { url, timeout: limit } = arguments;
    let (status, body) = runtime.block_on(async {
        timeout(*limit, ask(url))
            .await
            .with_context(|| format!("no answer within {}", humantime::format_duration(*limit)))?
            .with_context(|| format!("cannot ask {url}"))
    })?;
    say(status, &body);
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(url: &Uri) -> anyhow::Result<(StatusCode, Bytes)> {
    match url.scheme_str() {
        Some("http") => {}
        Some(other) => bail!("only http is spoken, not {other}"),
        None => bail!("a URL begins with http://"),
    }
    let authority = url.authority().context("the URL names no host")?;
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let tcp = TcpStream::connect((bare, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await?;
    // It ends with the runtime, and its errors are the request's.
    tokio::spawn(connection);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, authority.as_str())
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    match Limited::new(body, LARGEST).collect().await {
        Ok(body) => Ok((head.status, body.to_bytes())),
        Err(error) => bail!("the answer broke off: {error}"),
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(status: StatusCode, body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    let line: String =
        text.lines().next().unwrap_or_default().chars().filter(|it| !it.is_control()).take(SHOWN).collect();
    println!("{status}: {line}");
}
