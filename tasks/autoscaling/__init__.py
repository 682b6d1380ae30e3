"""A group that scales: what it is made of, what is seen of it while it does, and what that means."""
