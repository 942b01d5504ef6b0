//! Landbridge, a cross-cluster east-west TCP/mTLS gateway, as a library.
