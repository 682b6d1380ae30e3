"""What prune-backups alone needs: what is on the store, what goes, and why."""
