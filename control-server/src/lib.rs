//! The server side of xDS-lite: what feeds gateways from files.
//!
//! Nothing of it is part of this version; the crate keeps its place, so that what links it is decided.
