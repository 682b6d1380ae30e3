"""The run on every release of the lab."""
