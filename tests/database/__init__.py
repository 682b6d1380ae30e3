"""Tests of what is said of databases, with MariaDB's own programs and server on this machine."""
