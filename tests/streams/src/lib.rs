//! Byte-exact streams through a gateway, ended in every way, and the verdict on what came out.
//!
//! Both ends of a connection are ours: a client that calls through the gateway, and the endpoint behind it. Each
//! sends a stream of which every byte follows from a seed, checks every byte that it receives, ends as its
//! [`Plan`] says, and keeps a [`Record`]. [`judge()`] compares the two.
//!
//! Where to read: `stream.rs` says what a stream is made of, `checker.rs` what can be wrong with one, `scenario.rs`
//! how connections end, `link.rs` how an end is made on a socket, `end.rs` is the story of one end of a connection,
//! `judge.rs` the law, and `run.rs` many connections at once.

mod board;
mod checker;
mod diagnosis;
mod end;
mod header;
mod judge;
mod link;
mod plan;
mod record;
mod rng;
mod run;
mod scenario;
mod score;
mod seen;
mod stream;
mod tls;

pub use board::{Board, Stand};
pub use checker::{Checker, Fault};
pub use judge::{Judgement, Sent, Verdict, judge};
pub use plan::{Ending, Hold, PACE, Plan, Plans, Reading};
pub use record::Record;
pub use run::{Caller, Endpoint, Load, Mode, exchange, exchange_one};
pub use scenario::Scenario;
pub use score::{Count, Score};
pub use seen::Seen;
pub use stream::{Label, Way};
pub use tls::{client_config, client_config_of, hello_config, server_config};
