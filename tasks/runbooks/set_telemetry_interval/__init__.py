"""set-telemetry-interval: which files and agents it changes."""
