"""Galera's answer to SHOW STATUS, as the client prints it."""

UUID, OTHER = "6a3f2c9e-0000-11ef-8000-000000000001", "6a3f2c9e-0000-11ef-8000-000000000002"


def status(state: str = "Synced", cluster: str = "Primary", size: str = "3", uuid: str = UUID) -> str:
    return (
        f"wsrep_cluster_size\t{size}\nwsrep_cluster_state_uuid\t{uuid}\nwsrep_cluster_status\t{cluster}\n"
        f"wsrep_local_state_comment\t{state}\nwsrep_ready\tON\n"
    )
