"""The demo: a Galera cluster in the lab is destroyed, and restore-galera brings it back."""
