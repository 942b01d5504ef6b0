//! The gateway as a library, from accept to close: every claim of the contract that needs no real peer.

#![cfg(test)]

mod bad_input;
mod bulk;
mod endpoints;
mod ends;
mod handshake;
mod hello;
mod identities;
mod lifecycle;
mod panics;
mod passthrough;
mod proxy_protocol;
mod races;
mod reload;
mod streams;
mod terminate;
mod upstream_tls;
