"""What resume-control-plane alone needs."""
