//! Bad networks for tests: network namespaces, and links between them that lose, delay and spoil packets.
//!
//! A [`Link`] is a pair of TUN interfaces in two [`Namespace`]s with a forwarder between them, in user space, so
//! that it needs nothing of the kernel's own traffic control. What it does to packets is a [`Faults`] for each
//! direction, which can be changed while packets flow. Its decisions follow from a seed and from the order of
//! the packets, which is the kernel's.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test code: what can't go on should say so and stop"
)]

mod chance;
mod faults;
mod lane;
mod link;
mod namespace;
mod packet;

pub use faults::Faults;
pub use link::{Direction, Link, Plug};
pub use namespace::Namespace;
pub use packet::{Kind, forged};
