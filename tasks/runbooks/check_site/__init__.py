"""What check-site alone needs."""
