"""What is seen of a group while it scales."""
