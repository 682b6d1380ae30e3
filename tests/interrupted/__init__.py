"""Every point at which a run can die."""
