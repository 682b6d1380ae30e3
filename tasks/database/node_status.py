"""What Galera's nodes say of themselves, and whether they are one healthy cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from blocks.remote.command import Command
from blocks.remote.shell import Shell
from tasks.database.mariadb import Server
from tasks.engine.results import Results

SYNCED = "Synced in a Primary component"
_QUERY = (
    "SHOW STATUS WHERE Variable_name IN ('wsrep_local_state_comment', 'wsrep_cluster_status', 'wsrep_cluster_size',"
    " 'wsrep_cluster_state_uuid', 'wsrep_ready')"
)
_SYNCED_ROWS = ("wsrep_local_state_comment\tSynced", "wsrep_cluster_status\tPrimary")
# So long one look at a node waits within its container.
_LOOK_S = 20


@dataclass(frozen=True)
class NodeStatus:
    """What a node says of itself.

    Attributes:
        state: `wsrep_local_state_comment`: Synced, Joining, Donor/Desynced, Initialized…
        status: `wsrep_cluster_status`: Primary, non-Primary, Disconnected.
        size: `wsrep_cluster_size`.
        uuid: `wsrep_cluster_state_uuid`.
    """

    state: str
    status: str
    size: int
    uuid: str

    def __str__(self) -> str:
        return SYNCED if self.synced else f"{self.state or 'no answer'}, {self.status or 'no status'}"

    @property
    def synced(self) -> bool:
        """Whether it takes part and is up to date."""
        return self.state == "Synced" and self.status == "Primary"


def parse_node_status(text: str) -> NodeStatus:
    """Read the rows of `SHOW STATUS`."""
    seen = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    size = seen.get("wsrep_cluster_size", "0")
    return NodeStatus(
        state=seen.get("wsrep_local_state_comment", ""),
        status=seen.get("wsrep_cluster_status", ""),
        size=int(size) if size.isdigit() else 0,
        uuid=seen.get("wsrep_cluster_state_uuid", ""),
    )


def read_node_status(shell: Shell, server: Server) -> NodeStatus:
    """Ask the node; one that does not answer has a status without a state."""
    return _read(shell, server.statement(_QUERY, timeout_s=20))


def read_status_once_synced(shell: Shell, server: Server) -> NodeStatus:
    """Ask the node as soon as it is Synced; one that is not within 20 seconds has the status that it has then."""
    return _read(shell, query_until_synced(server, _LOOK_S))


def query_until_synced(server: Server, seconds: int) -> Command:
    """The command that asks the node again and again within its container, until it is Synced or so long has passed."""
    return server.statement_until(_QUERY, _SYNCED_ROWS, seconds)


def _read(shell: Shell, query: Command) -> NodeStatus:
    answer = shell.run(replace(query, ok=tuple(range(124))))
    return parse_node_status(answer.stdout if answer.exit_code == 0 else "")


def disagreements(nodes: dict[str, NodeStatus], expected: int) -> list[str]:
    """What keeps these nodes from being one healthy cluster; empty where they are.

    Args:
        nodes: Host → what it says.
        expected: How many nodes the cluster has.
    """
    wrong = [f"{host}: {node}" for host, node in nodes.items() if not node.synced]
    wrong += [
        f"{host}: wsrep_cluster_size is {node.size}, not {expected}"
        for host, node in nodes.items()
        if node.synced and node.size != expected
    ]
    uuids = {node.uuid for node in nodes.values() if node.synced}
    if len(uuids) > 1:
        wrong.append(f"the nodes are in different clusters: {', '.join(sorted(uuids))}")
    return wrong


def cluster_uuids(servers: Mapping[str, Server]) -> Results[str]:
    """What each node calls its cluster, as a step's results: the same must be seen again at the end.

    Args:
        servers: Host → its MariaDB.
    """
    return Results("cluster UUID", str, lambda shell: read_node_status(shell, servers[shell.name]).uuid)
