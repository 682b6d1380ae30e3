"""What verify-backup alone needs, and what runbooks that take backups verify them with."""
