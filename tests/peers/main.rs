//! The gateway against real peers: sidecars, clients and load balancers as they are installed.
//!
//! A peer that is absent is skipped loudly, by name, with the command that would enable it; with
//! `LANDBRIDGE_REQUIRE_PEERS=1` its absence is a failure.

#![cfg(test)]

mod scene;

mod asm;
mod balancers;
mod curl;
mod documents;
mod envoy;
mod languages;
mod openssl;
mod refused;
mod resumption;
mod san;
mod three_clusters;
mod truncated;
mod upstream_envoy;
