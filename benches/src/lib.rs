//! Benchmarks of Landbridge and the load generator landbridge-bench.
//!
//! Nothing of it is part of this version; no figure is claimed yet.
