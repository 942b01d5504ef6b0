//! The words of xDS-lite: what the lines of the stream say, and how a line is read and written.
//!
//! `docs/xds-lite.md` is the reference. A line is one JSON object: a message, which has one key that names it
//! (`{"hello": {…}}`), or a resource (`{"type": "service", "name": …}`). What a reader doesn't know it passes over, so
//! that either side may learn new words first.

mod client;
mod kinds;
mod line;
mod name;
mod read;
mod resource;
mod server;
mod version;

pub use client::{Ack, Digests, Hello, Nack, Node, ReadyEndpoints, Refused, RefusedUpdate, Status, ToServer};
pub use line::{LineError, Lines};
pub use name::{Name, NameError};
pub use resource::{Change, Kind, Resource, endpoints_spec};
pub use server::{Begin, End, Farewell, Restates, RetryAfter, Seq, ToClient, Want, Welcome};
pub use version::{BUCKETS, BucketDigests, Digest, Version, VersionError, bucket};

/// The version of the protocol that is spoken here.
pub const PROTOCOL: u32 = 1;
/// Where the stream is asked for, by `POST`.
pub const PATH: &str = "/xds-lite/v1/stream";
/// The media type of both directions.
pub const MEDIA_TYPE: &str = "application/x-ndjson";
/// The longest line in bytes, without its newline. A longer one ends the stream.
pub const LONGEST_LINE: usize = 4 * 1024 * 1024;
/// How often at least either side says something, if only a heartbeat.
pub const HEARTBEAT: std::time::Duration = std::time::Duration::from_secs(15);
/// The feature that allows the server to send what changed inside the endpoints of a service.
pub const ENDPOINT_DELTA: &str = "endpoint_delta";

/// The key of a heartbeat, which says nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Heartbeat {}
