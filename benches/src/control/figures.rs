//! What was measured, line by line or as JSON.

use std::time::Duration;

use serde::Serialize;

use crate::load::to_float;

/// One number.
#[derive(Debug, Serialize)]
struct Figure {
    step: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
}

/// How figures are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}

/// All numbers of a run.
pub(super) struct Figures {
    form: Form,
    all: Vec<Figure>,
}

impl Figures {
    pub(super) fn new(form: Form) -> Self {
        Self { form, all: Vec::new() }
    }

    /// Something worth knowing that is no figure.
    pub(super) fn remark(&self, text: &str) {
        if self.form == Form::Text {
            say(text);
        }
    }

    pub(super) fn time(&mut self, step: &'static str, what: &str, time: Duration) {
        self.add(Figure { step, what: what.to_owned(), value: time.as_secs_f64() * 1e3, unit: "ms" });
    }

    pub(super) fn count(&mut self, step: &'static str, what: &str, count: u64) {
        self.add(Figure { step, what: what.to_owned(), value: to_float(count), unit: "" });
    }

    pub(super) fn bytes(&mut self, step: &'static str, what: &str, bytes: u64) {
        self.add(Figure { step, what: what.to_owned(), value: to_float(bytes), unit: "bytes" });
    }

    /// The median and the longest of some times.
    pub(super) fn times(&mut self, step: &'static str, what: &str, mut times: Vec<Duration>) {
        times.sort_unstable();
        if let (Some(median), Some(p99), Some(longest)) =
            (times.get(times.len() / 2), times.get(times.len() * 99 / 100), times.last())
        {
            self.time(step, &format!("{what}, p50"), *median);
            self.time(step, &format!("{what}, p99"), *p99);
            self.time(step, &format!("{what}, longest"), *longest);
        }
    }

    /// All of them as JSON, where that was asked for.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        if self.form == Form::Json {
            say(&serde_json::to_string_pretty(&self.all)?);
        }
        Ok(())
    }

    fn add(&mut self, figure: Figure) {
        if self.form == Form::Text {
            let digits = if figure.unit == "ms" { 2 } else { 0 };
            let text =
                format!("{:8} {:60} {:>14.digits$} {}", figure.step, figure.what, figure.value, figure.unit);
            say(text.trim_end());
        }
        self.all.push(figure);
    }
}

#[expect(clippy::print_stdout, reason = "what was measured is what this command is for")]
fn say(text: &str) {
    println!("{text}");
}
