//! Health, metrics and administration over HTTP for a Landbridge gateway.
