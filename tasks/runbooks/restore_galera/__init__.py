"""restore-galera: its preflight, its job, and where it is taken up after an interruption."""
