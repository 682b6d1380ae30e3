"""What backup-control-plane alone needs."""
