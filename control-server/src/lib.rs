//! The server side of xDS-lite: what feeds gateways from files.
