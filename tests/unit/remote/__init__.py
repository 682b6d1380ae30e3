"""Tests of `blocks.remote`."""
