//! Benchmarks of Landbridge and the load generator landbridge-bench.
