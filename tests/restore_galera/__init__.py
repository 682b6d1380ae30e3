"""restore-galera on the lab's hosts."""
