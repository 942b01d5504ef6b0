//! `landbridge drain`: asks a running gateway to drain, and waits for its end if it is told to.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use crate::args::Drain;
use crate::ask::{Place, nobody};
use crate::print::first_line;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How often the gateway is asked how far it is.
const AGAIN: Duration = Duration::from_millis(500);
/// After so many looks the gateway's workers know that it drains.
const KNOWN: u32 = 10;

/// 0 if the drain began or goes on already, and with --wait if it is over; else an error, and so 1.
pub(crate) fn drain(arguments: &Drain) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let place = &arguments.admin;
    runtime.block_on(async {
        begin(place).await?;
        let mut last = None;
        match arguments.wait {
            None => {}
            Some(None) => stopped(place, &mut last).await?,
            Some(Some(limit)) => match timeout(limit, stopped(place, &mut last)).await {
                Ok(done) => done?,
                Err(_) => bail!(
                    "it has not stopped within {}; {}",
                    humantime::format_duration(limit),
                    last.unwrap_or_else(|| "it has not told how far it is".to_owned())
                ),
            },
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn begin(place: &Place) -> anyhow::Result<()> {
    let asked = timeout(ANSWER, place.ask(Method::POST, "/drain")).await;
    let (status, body) = asked
        .with_context(|| format!("{place} does not answer"))?
        .with_context(|| format!("cannot ask {place}"))?;
    match status {
        StatusCode::ACCEPTED => say("the drain begins"),
        StatusCode::OK => say("it drains already"),
        _ => bail!("{place} refused: {status}: {}", first_line(&body)),
    }
    Ok(())
}

/// Tells how far it is, until nobody is there any more, or somebody else is; `last` is what was told last.
async fn stopped(place: &Place, last: &mut Option<String>) -> anyhow::Result<()> {
    for look in 0.. {
        match timeout(ANSWER, place.ask(Method::GET, "/api/v1/overview")).await {
            Ok(Ok((StatusCode::OK, body))) => {
                let overview: Value = serde_json::from_slice(&body).context("its answer is not JSON")?;
                let line = overview.get("drain").filter(|drain| drain.is_object()).map(told);
                let over = overview.get("phase").is_some_and(|phase| phase == "stopped");
                // Whoever does not drain now was started after the one that did.
                if over || line.is_none() && (last.is_some() || look >= KNOWN) {
                    break;
                }
                if let Some(line) = line.filter(|line| last.as_ref() != Some(line)) {
                    say(&line);
                    *last = Some(line);
                }
            }
            Ok(Ok((status, body))) => bail!("{place} refused: {status}: {}", first_line(&body)),
            Ok(Err(error)) if nobody(&error) => break,
            // It may have ended while it answered, or be too busy; the next attempt tells.
            Ok(Err(_)) | Err(_) => {}
        }
        sleep(AGAIN).await;
    }
    say("stopped");
    Ok(())
}

fn told(drain: &Value) -> String {
    let count = |key| drain.get(key).and_then(Value::as_u64).unwrap_or_default();
    format!("{} open, {} ended by themselves, {} cut", count("open"), count("ended"), count("cut"))
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(line: &str) {
    println!("{line}");
}
