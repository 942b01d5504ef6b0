//! `landbridge probe`: one question over HTTP, answered by the exit code.

use std::process::ExitCode;

use anyhow::Context;
use hyper::{Method, StatusCode};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::args::Probe;
use crate::ask::Place;
use crate::print::first_line;

/// Prints the answer's status and first line; 0 if it is a success (2xx), 1 if not.
pub(crate) fn probe(arguments: &Probe) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let Probe { url, timeout: limit } = arguments;
    let (status, body) = runtime.block_on(async {
        let asked = async {
            let path = url.path_and_query().map_or("/", |path| path.as_str());
            Place::of(url)?.ask(Method::GET, path).await
        };
        timeout(*limit, asked)
            .await
            .with_context(|| format!("no answer within {}", humantime::format_duration(*limit)))?
            .with_context(|| format!("cannot ask {url}"))
    })?;
    say(status, &body);
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(status: StatusCode, body: &[u8]) {
    println!("{status}: {}", first_line(body));
}
