"""What every runbook has, and nothing of any subject: changes, plan, run, step, journal, approval, locks, cleanups, report."""
