"""The changes that resume a control plane. What one leaves is told by the look at the end, and keeps no other from being made."""

from __future__ import annotations

from blocks.remote.command import Command
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.database.desync import read_candidate, resync_words
from tasks.engine.change import Change, Wait
from tasks.node import bundle
from tasks.node.pausing import Held, release_words
from tasks.node.running import read_running
from tasks.runbooks.resume_control_plane.looking import RESUMED, Node, Resumption

# An error of theirs is told at the end, with all else.
_ANY = (0, 1)


def release(node: Node, within_s: int) -> Change:
    """Start Pacemaker, unpause containers, start health checks: whatever of it a node needs.

    Args:
        node: The node.
        within_s: Seconds until what is left is given up.
    """
    words = release_words(node.held, patience_s=within_s)
    return Change((Command(words, timeout_s=within_s + 300, ok=_ANY, says=f"release: {node.held}"),))


def resync(node: Node, within_s: int) -> Change:
    """Set the node's server back once its receive queue has drained.

    Args:
        node: A node whose server is out of flow control.
        within_s: Seconds until the queue must have drained.
    """
    assert node.desynced is not None, "nothing is desynced there"
    return Change((Command(resync_words(node.desynced, within_s), timeout_s=within_s + 60, ok=_ANY, quiet=True),))


def check_resumed(job: Resumption) -> Change:
    """Wait until nothing is paused or stopped any more, on each node; what is left is told by its name."""
    servers = {node.shell.name: node.desynced for node in job.nodes}

    def look(shell: Shell) -> str:
        held = Held.found(read_running(shell))
        left = [*(f"container {name} is paused" for name in held.containers)]
        left += [f"{unit} is stopped" for unit in held.health_checks]
        left += ["Pacemaker does not run"] if held.cluster else []
        server = servers[shell.name]
        if server is not None and read_candidate(shell, server).desynced:
            left.append("wsrep_desync is on: its receive queue has not drained")
        return "; ".join(left) or RESUMED

    hint = "see `systemctl status` and `podman ps --all` there; `podman unpause NAME`, `pcs cluster start`"
    return Change((), until=Wait("what was paused or stopped", RESUMED, look, job.request.start_s, hint, every_s=2))


def check_promoted(job: Resumption) -> Change:
    """Wait until Pacemaker runs the database on all its nodes."""
    name = job.database.resource

    def look(shell: Shell) -> str:
        try:
            return bundle.promotion(bundle.read_bundle(shell, name))
        except HostError as error:  # it does not answer yet
            return error.message

    wait = Wait(
        name, bundle.ALL_PROMOTED, look, job.request.start_s, "see `pcs status`; `pcs resource cleanup`", every_s=1
    )
    return Change((), until=wait)
