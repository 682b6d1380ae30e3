"""What holds a control plane: found by looking at each node, whoever has paused or stopped it, and however much of it."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.database import GaleraDatabase
from blocks.remote.errors import HostError, RunbookError
from blocks.remote.shell import Shell
from tasks.database.desync import read_candidate
from tasks.database.mariadb import Server
from tasks.engine.cleanup import read_armed
from tasks.engine.run import Run
from tasks.node import bundle
from tasks.node.pacemaker_cluster import parse_cluster
from tasks.node.pausing import Held
from tasks.node.running import RUNNING, STOPPING, Running, read_running

NAME = "resume-control-plane"
RESUMED = "resumed"
_HEALTH_CHECK = "_healthcheck.service"


@dataclass(frozen=True)
class Request:
    """What the operator asks for.

    Attributes:
        roles: Groups of the inventory.
        start_s: Seconds until all runs and Galera is promoted.
        drain_s: Seconds for the receive queue of a node that is out of flow control to drain.
    """

    roles: tuple[str, ...]
    start_s: int
    drain_s: int


@dataclass(frozen=True)
class Node:
    """One node.

    Attributes:
        shell: The node.
        held: What it is released from.
        desynced: Its database's server, if that is out of flow control.
        lost: What can't be brought back here, each with what an operator does.
        timers: Timers that killed runs have left.
    """

    shell: Shell
    held: Held
    desynced: Server | None
    lost: tuple[str, ...]
    timers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resumption:
    """What is resumed.

    Attributes:
        request: What was asked for.
        database: The site's database.
        nodes: The nodes.
        databases: Names of those that are the database's, the first of which is asked for the bundle.
        starts: Whether a bundle of the database must come up.
        unseen: Why a node could not be looked at.
    """

    request: Request
    database: GaleraDatabase
    nodes: tuple[Node, ...]
    databases: tuple[str, ...]
    starts: bool
    unseen: tuple[str, ...] = ()

    @property
    def held(self) -> list[Node]:
        """The nodes that something holds."""
        return [node for node in self.nodes if node.held]

    @property
    def lost(self) -> list[str]:
        """What can't be brought back."""
        return [*self.unseen, *(f"{node.shell.name}: {said}" for node in self.nodes for said in node.lost)]

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        told = [f"{node.shell.name}: {node.held}" for node in self.held]
        told += [f"{node.shell.name}: wsrep_desync is on" for node in self.nodes if node.desynced]
        return "; ".join(told) or "nothing is paused or stopped"


def look(run: Run, request: Request) -> Resumption:
    """Look at every node. One that can't be looked at keeps no other paused: it is told, and fails the run at its end.

    Args:
        run: The run.
        request: What was asked for.

    Raises:
        Refused: No node could be looked at; with the reason of each.
    """
    database, checks = run.site.database, list(run.checks)
    seen = run.everywhere("node", lambda shell: _look_at_node(shell, database, run.name))
    unseen = tuple(str(check) for check in run.checks[len(checks) :])
    if seen:
        run.checks[:] = checks
    run.refuse_if_any()
    databases = tuple(shell.name for shell in run.hosts_with(database.role) if shell.name in seen)
    starts = any(clustered for name, (_, clustered) in seen.items() if name in databases)
    return Resumption(request, database, tuple(node for node, _ in seen.values()), databases, starts, unseen)


def _look_at_node(shell: Shell, database: GaleraDatabase, runbook: str) -> tuple[Node, bool]:
    """Returns the node, and whether it is one of a cluster.

    Raises:
        CommandTimedOut: podman waits for something that holds a container.
    """
    now = read_running(shell)
    server = _desynced(shell, now, database, runbook)
    node = Node(shell, Held.found(now), server, tuple(_lost(shell, now, database)), tuple(read_armed(shell)))
    return node, bool(now.pacemaker)


def _desynced(shell: Shell, now: Running, database: GaleraDatabase, runbook: str) -> Server | None:
    """The node's server, if it runs and is out of flow control."""
    for container in now.in_state(RUNNING):
        if database.container_pattern in container:
            server = Server(container, database.data_directory, database.client_options, runbook)
            return server if read_candidate(shell, server).desynced else None
    return None


def _lost(shell: Shell, now: Running, database: GaleraDatabase) -> list[str]:
    """What no release brings back."""
    told = [
        f"container {name} is {STOPPING}: a `podman stop` of it was killed; `podman kill {name}`, then start its unit"
        for name in now.in_state(STOPPING)
    ]
    # A health check that fails says what its own timer says again in a moment.
    failed = [unit for unit, state in now.units.items() if state == "failed" and not unit.endswith(_HEALTH_CHECK)]
    told += [f"{unit} has failed; see `systemctl status {unit}`" for unit in failed]
    return told + (_node_troubles(shell, database) if now.clustered else [])


def _node_troubles(shell: Shell, database: GaleraDatabase) -> list[str]:
    """What Pacemaker's attributes keep from this node or from the cluster; the node that asks tells of itself alone."""
    try:
        status = bundle.read_status(shell)
        cluster = parse_cluster(shell.name, status, database.resource)
    except HostError as error:
        return [error.message.removeprefix(f"{shell.name}: ")]
    own = next((node for node in cluster.nodes if node.name.split(".")[0] == shell.name.split(".")[0]), None)
    standing = [trouble for trouble in own.troubles if trouble in {"standby", "maintenance"}] if own else []
    told = [f"Pacemaker has this node in {trouble}; `pcs node un{trouble} {shell.name}`" for trouble in standing]
    return told + [f"Pacemaker has {trouble} set; see who has set it" for trouble in cluster.troubles]


def conclude(resumption: Resumption) -> None:
    """End the run with what can't be brought back.

    Raises:
        RunbookError: There is something.
    """
    if resumption.lost:
        listed = "\n".join(f"  - {said}" for said in resumption.lost)
        raise RunbookError(f"all else was released; this can't be brought back by this runbook:\n{listed}")
