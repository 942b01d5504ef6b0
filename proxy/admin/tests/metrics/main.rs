//! Metrics of a real gateway: what callers, strangers, endpoints and files leave behind in a scrape.

#![cfg(test)]

mod bounds;
mod connections;
mod http;
mod scene;
mod states;
