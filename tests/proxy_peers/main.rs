//! The PROXY protocol with those who speak it: HAProxy and nginx in front of the gateway, and behind it.

#![cfg(test)]

mod behind;
mod in_front;
mod program;
