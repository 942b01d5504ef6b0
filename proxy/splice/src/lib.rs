//! Moves bytes both ways between two sides, each plain TCP or TLS, and ends truthfully.
