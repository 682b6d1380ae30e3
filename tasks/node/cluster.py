"""Stopping and starting the whole cluster (BR 2.5 and 3.5, step 3: the role's tasks, and "Enabled pacemaker"), or one node."""

from __future__ import annotations

from blocks.remote.command import Command, question
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait

_ACTIVE, _STOPPED = "active", "inactive"


def _state(shell: Shell) -> str:
    """Systemd's word for Pacemaker: active, deactivating, inactive, failed."""
    said = shell.run(question("systemctl", "show", "pacemaker.service", "-p", "ActiveState")).text.partition("=")[2]
    return _STOPPED if said == "failed" else said


def stop_cluster(within_s: float) -> Change:
    """Stop Pacemaker and corosync on every node, from one of them."""
    return Change(
        (Command(("pcs", "cluster", "stop", "--all"), timeout_s=within_s),),
        already=lambda shell: _state(shell) == _STOPPED,
        until=_become(_STOPPED, within_s),
    )


def check_stopped(within_s: float) -> Change:
    """See that Pacemaker has stopped on a node, so that no image holds a cluster that runs."""
    return Change((), until=_become(_STOPPED, within_s))


def start_cluster(within_s: float) -> Change:
    """Start corosync and Pacemaker on every node, from one of them."""
    return Change(
        (Command(("pcs", "cluster", "start", "--all"), timeout_s=within_s),),
        already=lambda shell: _state(shell) == _ACTIVE,
        until=_become(_ACTIVE, within_s),
    )


def leave_cluster(within_s: float) -> Change:
    """Stop Pacemaker and corosync on one node, which takes its share of the resources with it.

    No standby: that is an attribute of the cluster's configuration, which the node's image would hold. Where the quorum would go
    with the node, pcs refuses.
    """
    return Change(
        (Command(("pcs", "cluster", "stop"), timeout_s=within_s),),
        already=lambda shell: _state(shell) == _STOPPED,
        until=_become(_STOPPED, within_s),
    )


def join_cluster(within_s: float) -> Change:
    """Start corosync and Pacemaker on one node."""
    return Change(
        (Command(("pcs", "cluster", "start"), timeout_s=within_s),),
        already=lambda shell: _state(shell) == _ACTIVE,
        until=_become(_ACTIVE, within_s),
    )


def check_started(within_s: float) -> Change:
    """See that Pacemaker has started on a node."""
    return Change((), until=_become(_ACTIVE, within_s))


def _become(wanted: str, within_s: float) -> Wait:
    return Wait("Pacemaker", wanted, _state, within_s, "see `systemctl status pacemaker corosync` there")
