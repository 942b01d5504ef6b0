//! The gateway as a library, from accept to close: every claim of the contract that needs no real peer.

#![cfg(test)]

mod abuse;
mod aliases;
mod bad_input;
mod bulk;
mod drawer;
mod endpoints;
mod ends;
mod handshake;
mod hello;
mod identities;
mod lifecycle;
mod limits;
mod panics;
mod passthrough;
mod proxy_protocol;
mod races;
mod reload;
mod resumption;
mod streams;
mod subsets;
mod terminate;
mod updates;
mod upstream_tls;
