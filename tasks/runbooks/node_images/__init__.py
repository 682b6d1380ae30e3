"""What backup-control-plane and backup-undercloud have in common where images of nodes are asked for."""
