//! `landbridge control status`: how the stream of a running gateway is.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::args::Status;
use crate::ask::Place;
use crate::print::{first_line, print};
use crate::report_format::ReportFormat;

/// How long an answer may take: what is confirmed is in force by then.
const ANSWER: Duration = Duration::from_secs(60);

/// 0 if the gateway answers and has a stream.
pub(super) fn status(arguments: &Status) -> anyhow::Result<ExitCode> {
    let told = answer(&arguments.admin, Method::GET, "/api/v1/control")?;
    match arguments.format {
        ReportFormat::Text => print(words(&told).as_bytes())?,
        ReportFormat::Json => print(format!("{told:#}\n").as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a gateway answers, in JSON.
pub(super) fn answer(place: &Place, method: Method, path: &str) -> anyhow::Result<Value> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let asked = runtime.block_on(async { timeout(ANSWER, place.ask(method, path)).await });
    let (status, body) = asked
        .with_context(|| format!("{place} does not answer"))?
        .with_context(|| format!("cannot ask {place}"))?;
    if status != StatusCode::OK {
        bail!("{place} refused: {status}: {}", first_line(&body));
    }
    serde_json::from_slice(&body).context("its answer is not JSON")
}

fn words(told: &Value) -> String {
    let mut text = String::new();
    let text_of = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    match &told["connected"] {
        Value::Null => text.push_str("connected  no\n"),
        open => {
            line(&mut text, "connected", &format!("to {} for {} s", text_of(open, "server"), open["for_s"]));
        }
    }
    let failure = &told["last_failure"];
    if failure.is_object() {
        let said = format!(
            "{} s ago, {}: {}",
            failure["ago_s"],
            text_of(failure, "server"),
            text_of(failure, "error")
        );
        line(&mut text, "failed", &said);
    }
    let kinds = told["resources"].as_object().into_iter().flatten();
    let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{count} {kind}")).collect();
    line(&mut text, "holds", &kinds.join(", "));
    if told["stale"] == true {
        line(&mut text, "stale", "no server has said yet that this is the present state");
    }
    for refused in told["refused"].as_array().into_iter().flatten() {
        let [kind, name, field, why] = ["type", "name", "field", "text"].map(|key| text_of(refused, key));
        let of = if field.is_empty() { String::new() } else { format!(" {field}") };
        line(&mut text, "refused", &format!("{kind} {name}:{of} {why}"));
    }
    rest(&mut text, "refused", told);
    for held in told["held_back"].as_array().into_iter().flatten() {
        let [kind, name, what] = ["type", "name", "what"].map(|key| text_of(held, key));
        line(&mut text, "held back", &format!("{kind} {name}: {what}"));
    }
    rest(&mut text, "held_back", told);
    let snapshot = &told["snapshot"];
    let wrong = snapshot["write_error"].as_str().map_or(String::new(), |error| format!(": {error}"));
    line(&mut text, "snapshot", &(text_of(snapshot, "path") + &wrong));
    text
}

fn line(text: &mut String, what: &str, said: &str) {
    let said: String = said.chars().filter(|it| !it.is_control()).collect();
    // Writing to a string can't fail.
    let _ = writeln!(text, "{what:<10} {said}");
}

/// How many of a list are not listed.
fn rest(text: &mut String, list: &str, told: &Value) {
    let listed = told[list].as_array().map_or(0, |list| list.len() as u64);
    let all = told[format!("{list}_count")].as_u64().unwrap_or_default();
    if all > listed {
        line(text, &list.replace('_', " "), &format!("and {} more", all - listed));
    }
}
