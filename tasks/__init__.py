"""The verbs of the runbooks, one module a subject, and what every runbook has."""
