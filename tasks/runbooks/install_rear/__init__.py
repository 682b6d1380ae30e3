"""What install-rear alone needs."""
