//! Moves bytes both ways between two sides, each plain TCP or TLS, and ends truthfully.
//!
//! [`duplex`] takes the two sides of one connection and runs until both directions have ended, somebody
//! outside decides otherwise ([`Cut`]), or something goes wrong. Its law is the first promise of the gateway:
//! **FIN or close_notify goes to one side only because the other side ended cleanly** (close_notify on a TLS
//! side, FIN on a plain one). Every other end reaches the other side as RST, after the bytes already accepted
//! were acknowledged by its TCP. Acknowledged doesn't mean read by the application: no TCP proxy can know that.
//!
//! Where to read: `duplex.rs` is the story, `pair.rs` both sides of it, `half.rs` one direction, `side.rs` what a direction
//! needs from a side, `pipe.rs` how bytes get from one socket to the other without coming here, `eof.rs` the proof that a
//! FIN is allowed, `ending.rs` every end that isn't clean.

mod duplex;
mod ended;
mod ending;
mod eof;
mod half;
mod options;
mod pair;
mod pipe;
mod pool;
mod side;
#[expect(unsafe_code, reason = "the one file that may talk to the kernel past what safe crates offer")]
mod sys;
mod tally;
mod timer;

pub use duplex::duplex;
pub use ended::{Cause, End, Ended};
pub use options::{Cut, MissingCloseNotify, Options};
pub use pipe::Pipes;
pub use pool::Buffers;
pub use side::Side;
pub use sys::{arm_reset, disarm_reset, unacknowledged};
pub use tally::Tally;

#[cfg(test)]
mod tests;
