"""restore-node: what it looks at, what it records, how it goes on."""
