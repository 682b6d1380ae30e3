"""Telemetry: Ceilometer's polling and its agents, Gnocchi's measures, Aodh's alarms, and the arithmetic of thresholds.

`polling` with `polling_sources` and `agent_config`, `kolla`, `polling_backups`, `measures` and `alarms` read; `other_layouts` names
what is not known; `polling_changes`, `agents.restart` and `kolla.restart` change.
"""
