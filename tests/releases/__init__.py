"""The lab's tests and restore-galera on every release of the lab."""
