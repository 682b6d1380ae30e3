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

# Those of the agents that poll. `notification` reads pipeline.yaml alone, `collector` and `api` neither file.
_POLLING = ("compute", "central", "ipmi", "polling")
_READING = (*_POLLING, "notification")
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
        polls: Whether it polls; else it reads the file only where that is for all agents (`TelemetryFile.for_all_agents`).
    """

    name: str
    contained: bool
    polls: bool = True


def parse_agents(units: str, containers: str) -> list[Agent]:
    """Find the agents that run and may read the interval.

    Args:
        units: What `LIST_UNITS` prints; only loaded units that are active count.
        containers: What `LIST_CONTAINERS` prints. TripleO has a unit `tripleo_<name>` for each, which is not listed twice.
    """
    contained = [
        Agent(name, True, kind in _POLLING) for name, kind in _CONTAINER.findall(containers) if kind in _READING
    ]
    running = [
        Agent(name, False, kind in _POLLING)
        for name, kind, load, active in _UNIT.findall(units)
        if kind in _READING and (load, active) == ("loaded", "active")
    ]
    return contained + running


def read_agents(shell: Shell) -> list[Agent]:
    """Ask the host."""
    return parse_agents(shell.run(LIST_UNITS).stdout, shell.run(LIST_CONTAINERS).stdout)


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
