"""restore-undercloud-database: what it looks at, what it records, how it goes on."""
