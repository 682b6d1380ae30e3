"""What a Prefect server must hold besides the flows: work pool, locks, blocks, deployments."""
