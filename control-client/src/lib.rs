//! The client side of xDS-lite, the stream that feeds a gateway its configuration.
