"""The runbooks of auto scaling, on a real OpenStack."""
