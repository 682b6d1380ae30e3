"""Ironic of the undercloud, which keeps a node's power as it remembers it: maintenance while a node is restored (BR 4.3)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blocks.remote.command import Command, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.change import Change

# By it a maintenance is known to be a restore's own, whichever attempt has set it.
REASON = "openstack-runbooks restore-node"

# As TripleO's documents do it: stack's own credentials of the undercloud. $1 is the account, the rest is for `openstack`.
_AS_STACK = """
user=$1
shift
exec sudo -n -H -u "$user" bash -c '
# shellcheck disable=SC1090
[ -r ~/stackrc ] || exit 0
source ~/stackrc
exec openstack "$@"
' bash "$@"
"""
_FIELDS = ("uuid", "name", "maintenance", "maintenance_reason", "instance_info")


@dataclass(frozen=True)
class IronicNode:
    """A node of Ironic's.

    Attributes:
        host: The node's name in the inventory.
        uuid: Ironic's.
        maintenance: Whether Ironic leaves it alone.
        ours: Whether a restore has set that.
    """

    host: str
    uuid: str
    maintenance: bool
    ours: bool


def _openstack(user: str, *words: str, changes: bool, says: str) -> Command:
    return script(_AS_STACK, user, *words, changes=changes, quiet=True, timeout_s=120, says=says)


def parse_nodes(host: str, text: str, names: Sequence[str]) -> list[IronicNode]:
    """Find the nodes in what `openstack baremetal node list -f json` prints; nothing where there is no Ironic.

    Args:
        host: The undercloud, for the error.
        text: What was printed.
        names: The nodes' names in the inventory: those of the instances that Ironic has deployed.

    Raises:
        HostError: It can't be read.
    """
    if not text.strip():
        return []
    try:
        # Columns are headed "Maintenance Reason", or as the field is called.
        rows: list[dict[str, Any]] = [
            {key.lower().replace(" ", "_"): value for key, value in row.items()} for row in json.loads(text)
        ]
        found = {str(name): row for row in rows for name in (row["name"], _display_name(row))}
        return [
            IronicNode(name, str(row["uuid"]), bool(row["maintenance"]), row.get("maintenance_reason") == REASON)
            for name in names
            if (row := found.get(name)) is not None
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"what Ironic says of its nodes can't be read: {type(error).__name__}"
        raise HostError(host, said, "see `openstack baremetal node list` there") from error


def _display_name(row: dict[str, Any]) -> str:
    return str((row.get("instance_info") or {}).get("display_name", ""))


def read_nodes(shell: Shell, user: str, names: Sequence[str]) -> list[IronicNode]:
    """Ask the undercloud's Ironic for nodes.

    Args:
        shell: The undercloud.
        user: The account there that has a stackrc.
        names: The nodes' names in the inventory.

    Raises:
        HostError: Ironic does not answer.
    """
    words = ("baremetal", "node", "list", "--fields", *_FIELDS, "-f", "json")
    said = shell.run(_openstack(user, *words, changes=False, says="ask Ironic for its nodes")).stdout
    return parse_nodes(shell.name, said, names)


def set_maintenance(user: str, nodes: Sequence[IronicNode]) -> Change:
    """Have Ironic leave nodes alone.

    Args:
        user: The account on the undercloud that has a stackrc.
        nodes: The nodes; what is in maintenance already, stays so.
    """
    commands = tuple(
        _openstack(
            user,
            *("baremetal", "node", "maintenance", "set", "--reason", REASON, node.uuid),
            changes=True,
            says=f"set maintenance of {node.host} in Ironic",
        )
        for node in nodes
    )
    names = [node.host for node in nodes]
    return Change(commands, already=lambda shell: all(node.maintenance for node in read_nodes(shell, user, names)))


def end_maintenance(user: str, nodes: Sequence[IronicNode]) -> Change:
    """Have Ironic look after nodes again: those that a restore has put into maintenance.

    Args:
        user: The account on the undercloud that has a stackrc.
        nodes: The nodes.
    """
    commands = tuple(
        _openstack(
            user,
            *("baremetal", "node", "maintenance", "unset", node.uuid),
            changes=True,
            says=f"end maintenance of {node.host} in Ironic",
        )
        for node in nodes
    )
    names = [node.host for node in nodes]
    return Change(commands, already=lambda shell: not any(node.ours for node in read_nodes(shell, user, names)))
