"""The overcloud's database: its nodes, Pacemaker, and where clients come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blocks.database import GaleraDatabase
from blocks.remote.shell import Shell
from tasks.database.cluster_address import parse_cluster_address
from tasks.database.desync import Candidate, read_candidate
from tasks.database.mariadb import Server
from tasks.database.node_status import disagreements
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node import hiera, podman, versions
from tasks.node.pacemaker_cluster import read_cluster
from tasks.node.pausing import Held
from tasks.node.running import read_running
from tasks.runbooks.restore_galera.control_plane import look_at_control_plane
from tasks.runbooks.restore_galera.membership import read_names

_NODE, _CLUSTER, _CLIENTS, _RESOURCE = "node of Galera", "Galera", "clients", "resource"
_HELD = "what runs there"


def look_at_database(run: Run, databases: Sequence[Shell]) -> None:
    """Look at the nodes of Galera, at Pacemaker, and at the virtual address.

    Args:
        run: The run.
        databases: The database's hosts that answer, in the inventory's order.

    Raises:
        RunbookError: The first of them says nothing of what all else depends on.
    """
    settings, first = run.site.database, databases[0]
    candidates = run.everywhere(_NODE, lambda shell: _look_at_node(run, settings, shell), databases)
    nodes = len(run.site.hosts_with(settings.role))
    reasons = disagreements({name: candidate.node for name, candidate in candidates.items()}, nodes)
    reasons += _out_of_flow_control(candidates)
    run.checks += Check.each(_CLUSTER, "", reasons, f"{nodes} nodes are Synced in one cluster")
    vip = hiera.lookup_address(first, settings.hiera_config, settings.vip_key)
    container = podman.find_container(first, podman.names(first), settings.container_pattern)
    address = parse_cluster_address(first.name, podman.read_file(first, container, settings.galera_options))
    known = run.everywhere("host", read_names, databases)
    found = look_at_control_plane(run, known, read_cluster(first, settings.resource), vip, address)
    run.checks += found.checks
    managed = (
        "" if found.managed else f"{settings.resource} is unmanaged: Pacemaker neither watches nor heals the database"
    )
    run.checks.append(
        Check(_RESOURCE, "", "managed", managed, "`pcs resource manage`, once nobody works on it" if managed else "")
    )
    run.checks += [
        Check(
            _CLIENTS,
            host,
            "blocked",
            f"a rule of restore-galera keeps clients off {vip}",
            "see whether a restore is at work, or was not brought to its end",
        )
        for host, barriers in found.barriers.items()
        if barriers.stand
    ]


def _look_at_node(run: Run, settings: GaleraDatabase, shell: Shell) -> Candidate:
    container = podman.find_container(shell, podman.names(shell), settings.container_pattern)
    run.checks += versions.check_versions(shell.name, versions.read_versions(shell, versions.CONTROLLER, container))
    held = Held.found(read_running(shell))
    hint = "a backup with images is at work there; else start resume-control-plane" if held else ""
    run.checks.append(Check(_HELD, shell.name, "nothing is paused or stopped", str(held), hint))
    return read_candidate(shell, Server(container, settings.data_directory, settings.client_options, run.name))


def _out_of_flow_control(candidates: Mapping[str, Candidate]) -> list[str]:
    """A node that is desynced while it is backed up says so itself; one that stays so holds nobody back, and falls behind."""
    return [
        f"{name}: wsrep_desync is on: a backup is at work there, or has not set it back"
        for name, candidate in candidates.items()
        if candidate.desynced and candidate.node.synced
    ]
