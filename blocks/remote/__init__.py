"""The bottom of the house: commands, the SSH shell that runs them, waiting, errors. Knows nothing of Prefect."""
