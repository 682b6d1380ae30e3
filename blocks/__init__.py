"""What a Prefect server knows of a site: its hosts and roles, and how each part of it is reached."""
