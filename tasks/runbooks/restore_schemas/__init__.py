"""What restore-schemas alone needs."""
