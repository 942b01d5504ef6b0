//! Istio's line of text.
//!
//! Its format is `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"
//! %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%
//! "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION%
//! %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%"
//! "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER%
//! %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS%
//! %REQUESTED_SERVER_NAME% %ROUTE_NAME%`, with `-` for what is absent.

use std::fmt::{self, Display, Write};

use super::Entry;
use super::escape::{Escaped, Within};
use super::timestamp::Timestamp;

pub(super) fn write(line: &mut String, entry: &Entry<'_>) -> fmt::Result {
    let upstream = entry.upstream();
    write!(line, "[{}] \"- - -\" 0", Timestamp(entry.started))?;
    bare(line, Some(entry.reason.flag()))?;
    bare(line, entry.details())?;
    bare(line, entry.termination())?;
    quoted(line, entry.upstream_failure())?;
    bare(line, Some(entry.received()))?;
    bare(line, Some(entry.sent()))?;
    bare(line, Some(entry.duration.as_millis()))?;
    line.push_str(r#" - "-" "-" "-" "-""#);
    quoted(line, upstream.map(|facts| facts.host))?;
    bare(line, entry.sni())?;
    bare(line, upstream.and_then(|facts| facts.local))?;
    bare(line, entry.downstream_local())?;
    bare(line, entry.downstream_remote())?;
    bare(line, entry.sni())?;
    bare(line, entry.route())?;
    if let Some(count) = entry.suppressed {
        write!(line, " suppressed={count}")?;
    }
    Ok(())
}

/// Adds a field that ends at the next space.
fn bare(out: &mut String, value: Option<impl Display>) -> fmt::Result {
    out.push(' ');
    let within = Within::Spaces;
    match value {
        Some(value) => write!(Escaped { out, within }, "{value}"),
        None => out.write_char('-'),
    }
}

/// Adds a field between quotes.
fn quoted(out: &mut String, value: Option<impl Display>) -> fmt::Result {
    out.push_str(" \"");
    let within = Within::Quotes;
    match value {
        Some(value) => write!(Escaped { out, within }, "{value}")?,
        None => out.push('-'),
    }
    out.push('"');
    Ok(())
}
