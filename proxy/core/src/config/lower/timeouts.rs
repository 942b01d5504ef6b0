//! `[timeouts]`.

use std::time::Duration;

use super::section;
use crate::config::Timeouts;
use crate::config::findings::{Complaint, Findings};
use crate::config::raw::{DurationText, RawTimeouts};
use crate::config::read::Field;

/// Nothing here waits longer than ten years, so that sums of times stay far from overflowing.
const LONGEST: Duration = Duration::from_secs(10 * 31_557_600);
/// TCP_KEEPIDLE is in whole seconds, 1 to 32767 (Linux, MAX_TCP_KEEPIDLE): a little over nine hours.
const LONGEST_KEEPALIVE: Duration = Duration::from_secs(9 * 3600);
/// TCP_USER_TIMEOUT is in milliseconds, a signed 32-bit number: a little over 24 days.
const LONGEST_USER_TIMEOUT: Duration = Duration::from_secs(24 * 24 * 3600);

type Written<'a> = Option<&'a Field<DurationText>>;

pub(super) fn timeouts(raw: Option<Field<RawTimeouts>>, found: &mut Findings) -> Timeouts {
    let place = raw.as_ref().map(|field| field.place);
    let raw = section(raw);
    let default = Timeouts::default();
    let mut within = |field: Written<'_>, default: Option<Duration>, least: Duration, most: Duration| {
        found.meaning(field, |text| duration(text, least, most)).unwrap_or(default)
    };
    let mut any = |field: Written<'_>, default| within(field, default, Duration::ZERO, LONGEST);
    let mut timeouts = Timeouts {
        client_hello: any(raw.client_hello.as_ref(), default.client_hello),
        handshake: any(raw.handshake.as_ref(), default.handshake),
        connect: any(raw.connect.as_ref(), default.connect),
        connect_hedge: any(raw.connect_hedge.as_ref(), default.connect_hedge),
        connect_total: any(raw.connect_total.as_ref(), default.connect_total),
        idle: any(raw.idle.as_ref(), default.idle),
        half_close: any(raw.half_close.as_ref(), default.half_close),
        flush: any(raw.flush.as_ref(), default.flush),
        drain: any(raw.drain.as_ref(), default.drain),
        drain_lag: any(raw.drain_lag.as_ref(), Some(default.drain_lag)).unwrap_or_default(),
        keepalive: None,
        user_timeout: None,
        expiry_grace: Duration::ZERO,
        expiry_jitter: Duration::ZERO,
    };
    let second = Duration::from_secs(1);
    timeouts.keepalive = within(raw.keepalive.as_ref(), default.keepalive, second, LONGEST_KEEPALIVE);
    let millisecond = Duration::from_millis(1);
    timeouts.user_timeout =
        within(raw.user_timeout.as_ref(), default.user_timeout, millisecond, LONGEST_USER_TIMEOUT);
    timeouts.expiry_grace = postponed(raw.expiry_grace.as_ref(), default.expiry_grace, found);
    timeouts.expiry_jitter = postponed(raw.expiry_jitter.as_ref(), default.expiry_jitter, found);
    if place.is_some() {
        relate(&raw, &timeouts, found);
    }
    timeouts
}

/// How long something is put off: zero says what "off" does.
fn postponed(field: Written<'_>, default: Duration, found: &mut Findings) -> Duration {
    let zero = |text: &str| humantime::parse_duration(text).is_ok_and(|duration| duration.is_zero());
    let postponed = found.meaning(field, |text| match text {
        DurationText(text) if zero(text) => Ok(Duration::ZERO),
        text => duration(text, Duration::ZERO, LONGEST).map(Option::unwrap_or_default),
    });
    postponed.unwrap_or(default)
}

/// Notes durations that do not go together.
fn relate(raw: &RawTimeouts, timeouts: &Timeouts, found: &mut Findings) {
    let shown = humantime::format_duration;
    let readable = |field: &Option<Field<DurationText>>| {
        let text = field.as_ref().map(|field| field.value.as_ref());
        text.is_none_or(|text| text.is_some_and(|text| duration(text, Duration::ZERO, LONGEST).is_ok()))
    };
    if let (Some(drain), lag) = (timeouts.drain, timeouts.drain_lag)
        && readable(&raw.drain)
        && readable(&raw.drain_lag)
        && lag > drain
        && let Some(field) = raw.drain_lag.as_ref().or(raw.drain.as_ref())
    {
        let complaint = Complaint::new(format!(
            "drain_lag ({}) is a part of drain ({}) and cannot be longer",
            shown(lag),
            shown(drain)
        ));
        found.error(field.place, complaint.help("shorten drain_lag or lengthen drain"));
    }
    if let (Some(connect), Some(total)) = (timeouts.connect, timeouts.connect_total)
        && readable(&raw.connect)
        && readable(&raw.connect_total)
        && connect > total
        && let Some(field) = raw.connect.as_ref().or(raw.connect_total.as_ref())
    {
        found.warning(
            field.place,
            Complaint::new(format!(
                "connect ({}) is longer than connect_total ({}), which ends every try before that",
                shown(connect),
                shown(total)
            )),
        );
    }
}

/// A duration within bounds, or `None` for "off".
pub(super) fn duration(
    text: &DurationText,
    least: Duration,
    most: Duration,
) -> Result<Option<Duration>, Complaint> {
    let DurationText(text) = text;
    if text == "off" {
        return Ok(None);
    }
    let duration = humantime::parse_duration(text).map_err(|error| {
        Complaint::new(format!("expected {}, found {text:?}", DurationText::EXPECTED)).help(error.to_string())
    })?;
    if duration.is_zero() {
        Err(Complaint::new("a duration of zero would be over at once").help("write \"off\" for no limit"))
    } else if duration < least || duration > most {
        let (least, most) = (humantime::format_duration(least), humantime::format_duration(most));
        let range = if least.to_string() == "0s" {
            format!("of at most {most}")
        } else {
            format!("from {least} to {most}")
        };
        Err(Complaint::new(format!("expected a duration {range}, found {text:?}")))
    } else {
        Ok(Some(duration))
    }
}
