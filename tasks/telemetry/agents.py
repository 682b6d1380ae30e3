"""Ceilometer's agents on a host, as containers or as units: found by name, restarted one by one.

AS 1.2 step 5 restarts every OpenStack service; only the agents read the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from blocks.remote.command import command, question
from blocks.remote.shell import Shell
from tasks.change import Change, Wait
from tasks.containers import restart_service

# The agents that poll. `notification` reads pipeline.yaml alone, `collector` neither.
_POLLING = ("compute", "central", "ipmi", "polling")
_UNIT = re.compile(r"^[●*\s]*((?:openstack-)?ceilometer-(?:agent-)?([a-z]+)\.service)\s+(\S+)\s+(\S+)", re.MULTILINE)
_CONTAINER = re.compile(r"^(ceilometer_agent_([a-z]+))$", re.MULTILINE)

LIST_UNITS = question("systemctl", "list-units", "--type=service", "--plain", "--no-legend", "*ceilometer*")
LIST_CONTAINERS = question(
    *("bash", "-c", 'command -v podman >/dev/null || exit 0; exec podman ps --format "{{.Names}}"'),
)


@dataclass(frozen=True)
class Agent:
    """One of Ceilometer's agents that runs on a host.

    Attributes:
        name: Of the unit, or of the container.
        contained: Whether it is a container.
    """

    name: str
    contained: bool


def parse_agents(units: str, containers: str, with_notification: bool) -> list[Agent]:
    """Find the agents that must be restarted.

    Args:
        units: What `LIST_UNITS` prints; only loaded units that are active count.
        containers: What `LIST_CONTAINERS` prints. TripleO has a unit `tripleo_<name>` for each, which is not listed twice.
        with_notification: Whether the notification agent reads the file too (`TelemetryFile.for_all_agents`).
    """
    wanted = (*_POLLING, *(("notification",) if with_notification else ()))
    contained = [Agent(name, True) for name, kind in _CONTAINER.findall(containers) if kind in wanted]
    running = [
        Agent(name, False)
        for name, kind, load, active in _UNIT.findall(units)
        if kind in wanted and (load, active) == ("loaded", "active")
    ]
    return contained + running


def read_agents(shell: Shell, with_notification: bool) -> list[Agent]:
    """Ask the host."""
    return parse_agents(shell.run(LIST_UNITS).stdout, shell.run(LIST_CONTAINERS).stdout, with_notification)


def restart(agent: Agent) -> Change:
    """Restart one agent and wait until it runs."""
    if agent.contained:
        return restart_service(agent.name)
    return Change(
        (command("systemctl", "restart", agent.name),),
        until=Wait(
            f"unit {agent.name}",
            "active",
            lambda shell: shell.run(question("systemctl", "is-active", agent.name, ok=tuple(range(5)))).text,
            60,
            hint=f"see `journalctl -u {agent.name}`; put the old file back if it does not like the new one",
        ),
    )
