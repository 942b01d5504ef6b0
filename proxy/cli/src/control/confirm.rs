//! `landbridge control confirm`: says to a running gateway that removals are meant.

use std::process::ExitCode;

use anyhow::Context;
use hyper::Method;
use serde_json::Value;

use super::args::Confirm;
use super::status::answer;
use crate::print::print;

/// 0 if nothing is held back any more.
pub(super) fn confirm(arguments: &Confirm) -> anyhow::Result<ExitCode> {
    let told = answer(&arguments.admin, Method::POST, "/control/confirm")?;
    let result = told.get("result").and_then(Value::as_str).context("the answer has no result")?;
    let said = match (result, told.get("count").and_then(Value::as_u64).unwrap_or_default()) {
        ("nothing_held_back", _) => "nothing is held back\n".to_owned(),
        (_, 1) => "1 removal is confirmed\n".to_owned(),
        (_, count) => format!("{count} removals are confirmed\n"),
    };
    print(said.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
