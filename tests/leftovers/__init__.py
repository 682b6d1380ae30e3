"""What interrupted tests, demos and benchmarks may have left on this machine."""
