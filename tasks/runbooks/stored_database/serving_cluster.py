"""A cluster that serves, into which a part of a backup is restored: what preflight looks at on each of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, Site
from tasks.database.mariadb import Server
from tasks.database.node_status import NodeStatus, disagreements, read_node_status
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node import versions
from tasks.node.podman import find_container, names

# A node answers a question in this session once it has all that was committed in the cluster before it was asked.
CAUGHT_UP = "SET SESSION wsrep_sync_wait = 7; SELECT COUNT(*) FROM mysql.user;"


def hosts_of_cluster(site: Site, _: Mapping[str, Any]) -> list[str]:
    """The groups of such a run: the database's, and the store's."""
    return [site.database.role, *([BACKUP_NODE] if site.store else [])]


@dataclass(frozen=True)
class _Node:
    server: Server
    status: NodeStatus
    checks: list[Check]


def look_at_cluster(run: Run) -> dict[str, Server]:
    """Find the MariaDB of each node, and see that all of them are Synced in one cluster; what is wrong becomes a check of the run.

    Args:
        run: The run.

    Returns:
        Host → its MariaDB; those that did not answer are missing, but for the first.

    Raises:
        Refused: The first one did not.
    """
    hosts = run.hosts_with(run.site.database.role)
    nodes = run.everywhere("host", lambda shell: _look(run, shell), hosts)
    for node in nodes.values():
        run.checks += node.checks
    statuses = {name: node.status for name, node in nodes.items()}
    run.checks += Check.each("cluster", "", disagreements(statuses, len(hosts)), f"{len(hosts)} nodes are Synced")
    if run.first.name not in nodes:
        run.refuse_if_any()
    return {name: node.server for name, node in nodes.items()}


def _look(run: Run, shell: Shell) -> _Node:
    database = run.site.database
    container = find_container(shell, names(shell), database.container_pattern)
    server = Server(container, database.data_directory, database.client_options, run.name)
    known = versions.check_versions(shell.name, versions.read_versions(shell, versions.CONTROLLER, container))
    return _Node(server, read_node_status(shell, server), known)
