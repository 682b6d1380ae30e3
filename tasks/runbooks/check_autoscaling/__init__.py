"""check-autoscaling: its preflight, its run around the documented steps, and the check itself."""
