"""The undercloud: its versions, its services, and its database's container."""

from __future__ import annotations

from blocks.remote.shell import Shell
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node import podman, versions
from tasks.node.pausing import Held
from tasks.node.running import read_running

_CONTAINER, _HELD = "container", "what runs there"


def look_at_undercloud(run: Run, shell: Shell) -> None:
    """Look at the undercloud.

    Args:
        run: The run.
        shell: The undercloud.

    Raises:
        RunbookError: It gives no answer.
    """
    container = run.site.undercloud_database.container
    there = container in podman.names(shell)
    said = versions.read_versions(shell, versions.UNDERCLOUD, container if there else "")
    run.checks += versions.check_versions(shell.name, said, versions.UNDERCLOUD)
    status = podman.status(shell, container) if there else "not there"
    reason = "" if status == "running" else f"container {container} of the undercloud's database is {status}"
    hint = "see `systemctl status tripleo_mysql`" if reason else ""
    run.checks.append(Check(_CONTAINER, shell.name, f"{container} is {status}", reason, hint))
    held = Held.found(read_running(shell))
    hint = "a backup with images is at work there; else start resume-control-plane with its role" if held else ""
    run.checks.append(Check(_HELD, shell.name, "nothing is paused or stopped", str(held), hint))
