"""resume-control-plane: what a backup has paused or stopped runs again, whoever was killed, and however far it had come.

Source: Red Hat OpenStack Platform 16.1, "Backing up and restoring the undercloud and control plane nodes", section 3.5: the
last plays of its playbook, "Enabled pacemaker", "Restart galera" and "Unpause everything". Where a step departs from them,
`resume_control_plane.departures.toml` says so and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from blocks.constraints import HostName, RoleName
from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.engine.change import Change
from tasks.engine.cleanup import run_now
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.runbooks.resume_control_plane.looking import NAME, Request, Resumption, conclude, look
from tasks.runbooks.resume_control_plane.resuming import check_promoted, check_resumed, release, resync

__all__ = ["NAME", "procedure", "resume_control_plane"]
_CONTROLLER = ["Controller"]
_NOBODY: list[str] = []


def hosts(site: Site, parameters: Mapping[str, Any]) -> list[str]:
    """The database's hosts, and those of the roles."""
    return [site.database.role, *(str(role) for role in parameters.get("roles") or _CONTROLLER)]


@runbook(NAME, hosts=hosts, timeout_s=6 * 3600)
def resume_control_plane(
    site: Annotated[str, Field(min_length=1)],
    roles: Annotated[list[RoleName], Field(min_length=1)] = _CONTROLLER,
    without: list[HostName] = _NOBODY,
    dry_run: bool = False,
    wait_s: Annotated[int, Field(ge=0, le=86400)] = 120,
    start_timeout_s: Annotated[int, Field(ge=30, le=7200)] = 900,
    drain_timeout_s: Annotated[int, Field(ge=60, le=86400)] = 3600,
) -> Work[Resumption]:
    """Unpause a control plane's containers, start its cluster, and set its database back into flow control.

    Args:
        site: Name of the site, as applied with `python -m deployments apply`.
        roles: Roles of the inventory whose nodes are resumed, beside the database's.
        without: Hosts that are left out: one that has no power would refuse the run.
        dry_run: Look, and show what would be done; change nothing.
        wait_s: Seconds to wait for another runbook's lock: that of one that was killed ends within two minutes.
        start_timeout_s: Seconds until all runs again and Galera is promoted.
        drain_timeout_s: Seconds for the receive queue of a node that is out of flow control to drain.
    """
    request = Request(tuple(dict.fromkeys(roles)), start_timeout_s, drain_timeout_s)
    return Work(
        look=partial(look, request=request),
        procedure=procedure,
        summary=lambda job: job.summary,
        conclude=conclude,
    )


def procedure(steps: Steps, job: Resumption) -> None:
    """The ends of 3.5, for whatever of them is due.

    Args:
        steps: Who walks through them: the plan, or the run.
        job: What was found.
    """
    for lost in job.lost:
        steps.report_finding(lost)
    by_name = {node.shell.name: node for node in job.nodes}

    def release_node(shell: Shell) -> Change:
        return release(by_name[shell.name], job.request.start_s)

    def resync_node(shell: Shell) -> Change:
        return resync(by_name[shell.name], job.request.drain_s)

    held = [node.shell for node in job.held]
    desynced = [node.shell for node in job.nodes if node.desynced]
    timed = [node.shell for node in job.nodes if node.timers]
    if held:
        steps.step("1", "Start Pacemaker, unpause the containers, start the health checks", held, release_node)
    else:
        steps.skip(
            "1", "Start Pacemaker, unpause the containers, start the health checks", "nothing is paused or stopped"
        )
    if desynced:
        steps.step("2", "Set the database back once its receive queue has drained", desynced, resync_node)
    else:
        steps.skip("2", "Set the database back once its receive queue has drained", "no node is out of flow control")
    steps.step("3", "See that nothing is paused or stopped", [node.shell for node in job.nodes], check_resumed(job))
    if job.starts:
        first = [by_name[job.databases[0]].shell]
        steps.step("4", "Wait until Galera is promoted on all its nodes", first, check_promoted(job))
    else:
        steps.skip("4", "Wait until Galera is promoted on all its nodes", "its hosts are no nodes of a cluster")
    sentence = "Do at once what the timers of killed runs would do later"
    if timed:
        steps.step("5", sentence, timed, lambda shell: Change((run_now(by_name[shell.name].timers),)))
    else:
        steps.skip("5", sentence, "there are none")
