//! Who the gateway is, whom it believes, and how a TLS handshake begins and ends.
