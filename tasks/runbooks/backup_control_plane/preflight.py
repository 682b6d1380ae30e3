"""The node of the Galera cluster that is backed up: one that is Synced, and to which the virtual IP leads no client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blocks.database import GaleraDatabase
from blocks.remote.shell import Shell
from tasks.database.desync import Candidate, pick_node, read_candidate, why_none
from tasks.database.mariadb import Server
from tasks.database.throwaway_server import read_image
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node import podman, versions
from tasks.runbooks.database_backup.backup import Backup
from tasks.runbooks.database_backup.preflight import look as look_at_backup
from tasks.runbooks.database_backup.request import HieraPassword, Request, Source

DATABASE = "overcloud"
_NODE = "node to back up"


@dataclass(frozen=True)
class Node:
    """A node of the cluster.

    Attributes:
        server: Its server.
        image: The id of its container's image.
        candidate: What it says of itself.
        checks: What was looked at.
        untried: What nobody has tried.
    """

    server: Server
    image: str
    candidate: Candidate
    checks: list[Check]
    untried: list[str]


def look(run: Run, request: Request) -> Backup:
    """Look at every node and at the store, and refuse with the complete list.

    Args:
        run: The run; its first hosts are the database's.
        request: What the operator asks for.

    Raises:
        Refused: With every reason.
    """
    database = run.site.database
    hosts = run.hosts_with(database.role)
    nodes = run.everywhere("container", lambda shell: _look_at_node(shell, database, request.runbook), hosts)
    for node in nodes.values():
        run.checks += node.checks
        run.facts += [fact for fact in node.untried if fact not in run.facts]
    candidates = {name: node.candidate for name, node in nodes.items()}
    picked = pick_node(candidates)
    password = HieraPassword(database.hiera_config, database.password_key)
    source = None
    if picked is not None:
        node = nodes[picked]
        source = Source(DATABASE, run.shells[picked], node.server, node.image, galera=True, password=password)
        run.checks.append(Check(_NODE, picked, f"Synced, with {node.candidate.clients} clients"))
    elif nodes:
        reason = f"no node of the cluster can be backed up: {'; '.join(why_none(candidates))}"
        run.checks.append(Check(_NODE, "", "", reason, "bring the cluster back first: see `pcs status`"))
    findings = _findings(candidates, picked)
    return look_at_backup(run, request, source, findings)


def _look_at_node(shell: Shell, database: GaleraDatabase, runbook: str) -> Node:
    container = podman.find_container(shell, podman.names(shell), database.container_pattern)
    server = Server(container, database.data_directory, database.client_options, runbook)
    known = versions.check_versions(shell.name, versions.read_versions(shell, versions.UNDERCLOUD, container))
    return Node(server, read_image(shell, container), read_candidate(shell, server), known, versions.untried(known))


def _findings(candidates: Mapping[str, Candidate], picked: str | None) -> list[str]:
    """What is wrong with the cluster, and is no reason to go without a backup."""
    said = [f"not a node to back up: {reason}" for reason in why_none(candidates)] if picked else []
    if picked and candidates[picked].clients:
        said.append(
            f"{picked} is backed up though {candidates[picked].clients} clients are connected to it: every other node has more, or "
            "can't be; while the backup begins they can't write for a moment"
        )
    return said
