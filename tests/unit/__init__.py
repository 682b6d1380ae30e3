"""Tests that touch neither the network nor a Prefect server."""
