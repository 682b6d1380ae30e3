"""What one runbook alone needs, a folder for each: what it looks at before it begins, and how it goes on after an interruption."""
