"""Backup sets: what one is, where it is kept, what is on record of it, and which of them stay."""
