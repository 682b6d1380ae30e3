"""What the lab has that can be tested without it."""
