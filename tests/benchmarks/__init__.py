"""Benchmarks: restore-galera against the same procedure by hand, and what Prefect costs."""
