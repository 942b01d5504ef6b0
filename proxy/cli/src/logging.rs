//! The event log: to standard error, as text for people or as JSON lines.

use std::io::IsTerminal;

use anyhow::Context;
use landbridge::config::EventFormat;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Installs the subscriber of this process.
pub(crate) fn install(level: &str, format: EventFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level).with_context(|| format!("log.level {level:?} is not a filter"))?;
    let base = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = match format {
        EventFormat::Text => base.with_ansi(colours()).with_target(false).try_init(),
        EventFormat::Json => base.json().flatten_event(true).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("cannot set up the event log: {error}"))
}

/// Colours on a terminal, unless NO_COLOR is set (no-color.org).
fn colours() -> bool {
    #[expect(clippy::disallowed_methods, reason = "the binary may read its environment")]
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !no_colour
}
