"""What backup-control-plane and backup-undercloud share: the backup of one database."""
