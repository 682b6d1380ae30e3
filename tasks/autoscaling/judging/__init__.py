"""What it means: rules, findings, the verdict."""
