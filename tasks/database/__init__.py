"""MariaDB and Galera: dumps, accounts, the data directory, import, forming a cluster."""
