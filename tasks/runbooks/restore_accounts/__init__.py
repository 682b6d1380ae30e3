"""What restore-accounts alone needs."""
