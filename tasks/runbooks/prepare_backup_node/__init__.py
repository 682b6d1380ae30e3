"""What prepare-backup-node alone needs."""
