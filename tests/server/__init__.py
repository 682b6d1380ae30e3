"""Tests against a real Prefect server and worker, on loopback."""
