"""What backup-undercloud alone needs."""
