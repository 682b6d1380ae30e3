"""What a cloud offers and allows: the resource types of its Heat, the quotas of a project."""
