"""What a cloud offers and allows: resource types, quotas."""
