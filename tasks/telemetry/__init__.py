"""Telemetry: Ceilometer's polling and its agents, Gnocchi's measures, Aodh's alarms, and the arithmetic of thresholds.

`polling`, `polling_backups`, `measures` and `alarms` read; `polling_changes` and `agents.restart` change.
"""
