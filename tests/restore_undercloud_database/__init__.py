"""restore-undercloud-database on the lab's undercloud."""
