"""A node that was restored: whether its own system has booted, and what Pacemaker holds against it (BR 4.3, steps 7 and 8)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from blocks.remote.command import Command, question
from blocks.remote.errors import CommandTimedOut, ConnectionLost, HostError, LoginRejected, Unreachable
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait
from tasks.node import bundle
from tasks.node.pacemaker_cluster import parse_cluster

_BOOTED, _ANSWERS = "booted", "answering"
_AWAY = (Unreachable, ConnectionLost, CommandTimedOut)


def answers(shell: Shell) -> bool:
    """Whether the node's own system lets the site's account in. Its rescue system, at the same host keys, does not.

    Raises:
        HostKeyRejected: Something else answers there.
    """
    try:
        return shell.run(question("test", "-e", "/etc/rear-release", ok=(0, 1))).exit_code == 1
    except (*_AWAY, LoginRejected):
        return False


def wait_until_booted(within_s: float) -> Change:
    """Wait until the node's own system answers, at the host keys of before.

    Args:
        within_s: Seconds until it must.
    """
    hint = "see its console: whether it boots from its disk, and not from the ISO; whether its network is up"

    def look(shell: Shell) -> str:
        return _BOOTED if answers(shell) else "no answer"

    return Change((), until=Wait("the node", _BOOTED, look, within_s, hint, every_s=3))


def wait_for_pacemaker(within_s: float) -> Change:
    """Wait until Pacemaker answers: it starts with the nodes.

    Args:
        within_s: Seconds until it must.
    """

    def look(shell: Shell) -> str:
        try:
            bundle.read_status(shell)
        except HostError as error:
            return error.message.partition("\n")[0]
        return _ANSWERS

    hint = "see `systemctl status pacemaker corosync` there; `pcs cluster start --all`"
    return Change((), until=Wait("Pacemaker", _ANSWERS, look, within_s, hint, every_s=2))


def clear_standby(resource: str, nodes: Sequence[str]) -> Change:
    """Let Pacemaker use nodes again that were in standby when their images were made.

    Args:
        resource: The database's bundle.
        nodes: The restored nodes.
    """

    def already(shell: Shell) -> bool:
        cluster = parse_cluster(shell.name, bundle.read_status(shell), resource)
        return not [node.name for node in cluster.nodes if "standby" in node.troubles and node.name in nodes]

    return Change(tuple(Command(("pcs", "node", "unstandby", node)) for node in nodes), already=already)


def clean_up_failures() -> Change:
    """Forget failed actions (BR 4.3, Troubleshooting; `pcs resource clean` is not the command's name)."""

    def already(shell: Shell) -> bool:
        return not list(ElementTree.fromstring(bundle.read_status(shell)).iter("failure"))  # noqa: S314 - over pinned SSH

    return Change((Command(("pcs", "resource", "cleanup")),), already=already)


def clean_up_fencing() -> Change:
    """Forget failed fencing (BR 4.3, Troubleshooting)."""

    def already(shell: Shell) -> bool:
        events = ElementTree.fromstring(bundle.read_status(shell)).iter("fence_event")  # noqa: S314 - over pinned SSH
        return not [event for event in events if event.get("status") == "failed"]

    return Change((Command(("pcs", "stonith", "history", "cleanup")),), already=already)


def wait_for_cluster(resource: str, within_s: float) -> Change:
    """Wait until Pacemaker runs the database on all its nodes.

    Args:
        resource: The database's bundle.
        within_s: Seconds until it must.
    """

    def look(shell: Shell) -> str:
        try:
            return bundle.health(shell, resource)
        except HostError as error:  # it does not answer yet
            return error.message.partition("\n")[0]

    hint = "where Galera does not come back by itself, start restore-galera with the backup of the same night (docs/images.md)"
    return Change((), until=Wait(resource, bundle.HEALTHY, look, within_s, hint, every_s=2))
