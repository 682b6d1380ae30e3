"""Images with one node at a time out of the cluster, while the others serve: as later releases of the vendor's role make them.

Nothing is paused: what is on the node and not Pacemaker's goes on serving there, behind another node's haproxy. What Pacemaker runs
on it, the database above all, has stopped while its image is made. A node leaves only once all that ran before runs again, and
every database is Synced: with one node away, a second one would end the service.
"""

from __future__ import annotations

from blocks.database import GaleraDatabase
from blocks.remote.shell import Shell
from tasks.database.desync import read_candidate
from tasks.database.mariadb import Server
from tasks.database.node_status import disagreements
from tasks.engine.change import Change, Wait
from tasks.engine.steps import Steps
from tasks.node import cluster, podman
from tasks.node.pacemaker import check_health
from tasks.runbooks.node_images.imaging import Imaging
from tasks.runbooks.node_images.making import compare, image, record_running, save_configuration

_WHOLE = "Synced, and in flow control"


def make_images_in_turn(steps: Steps, imaging: Imaging) -> None:
    """Steps 2c, 3h and 3i, and for each node of the cluster 3i.1 to 3p. Nodes of no cluster are imaged before, side by side.

    Args:
        steps: Who walks through them.
        imaging: What images are made of.
    """
    record_running(steps, imaging)
    save_configuration(steps, imaging)
    outside = [node for node in imaging.nodes if node not in imaging.clustered]
    if outside:
        steps.step("3l", "Create the image of each node", outside, lambda node: image(imaging, node))
    for node in imaging.in_turn:
        _make_one(steps, imaging, node)


def _make_one(steps: Steps, imaging: Imaging, node: Shell) -> None:
    start_s, database = imaging.request.start_s, imaging.database
    assert database is not None, "a node of no cluster leaves none"
    others = [other for other in imaging.clustered if other is not node]
    whole = check_synced(database, imaging.request.runbook, len(imaging.databases), start_s)
    steps.step("3i.1", "See that every database is Synced", imaging.databases, whole)
    with steps.cleanup(imaging.rejoined(node)):
        steps.step("3j", "Take the node out of the cluster", [node], cluster.leave_cluster(start_s))
        steps.step("3l", "Create the image of the node", [node], image(imaging, node))
        steps.step("3m", "Let the node join the cluster again", [node], cluster.join_cluster(start_s))
        # Another node is asked: on this one Pacemaker has no answer before it has joined.
        steps.step("3n", "Wait until Galera is promoted", others[:1], check_health(database.resource, start_s))
    # What does not come back by itself is no cause to start the cluster again; and no other node leaves then.
    compare(steps, imaging, [node])


def check_synced(database: GaleraDatabase, runbook: str, nodes: int, within_s: float) -> Change:
    """Wait until a node's database is Synced in a cluster of all nodes, and the cluster waits for it.

    Its container is found anew: Pacemaker may have started it under another number.

    Args:
        database: The site's database.
        runbook: The runbook's name.
        nodes: How many nodes the cluster has.
        within_s: Seconds until it must.
    """

    def look(shell: Shell) -> str:
        names = podman.names(shell)
        if not any(database.container_pattern in name for name in names):
            return "it has no container"
        container = podman.find_container(shell, names, database.container_pattern)
        server = Server(container, database.data_directory, database.client_options, runbook)
        seen = read_candidate(shell, server)
        wrong = disagreements({shell.name: seen.node}, nodes)
        return "; ".join(wrong + ["wsrep_desync is on"] * seen.desynced) or _WHOLE

    hint = "see `pcs status`, and wsrep_cluster_size on each node; no other node leaves before"
    return Change((), until=Wait("the node's database", _WHOLE, look, within_s, hint, every_s=2))
