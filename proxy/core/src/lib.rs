//! Facts and decisions of the Landbridge gateway: no I/O, no clock, no TLS.
