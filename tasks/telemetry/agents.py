"""Ceilometer's agents on a host, as containers or as units: found by name, restarted one by one.

AS 1.2 step 5 restarts every OpenStack service; only the agents read the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from blocks.remote.command import command, question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait
from tasks.node.podman import restart_service
from tasks.telemetry.other_layouts import describe_other_layout, raise_if_edpm

# Those of the agents that poll. `notification` reads pipeline.yaml alone, `collector` and `api` neither file.
_POLLING = ("compute", "central", "ipmi", "polling")
_READING = (*_POLLING, "notification")
_UNIT = re.compile(r"^[●*\s]*((?:openstack-)?ceilometer-(?:agent-)?([a-z]+)\.service)\s+(\S+)\s+(\S+)", re.MULTILINE)
_CONTAINER = re.compile(r"^(ceilometer_agent_([a-z]+)) (.*)$", re.MULTILINE)
# An agent reads its configuration in the first seconds, and ends where it does not like it.
_RUNNING_S = 5
_RUNNING = f"running for {_RUNNING_S} s"

LIST_UNITS = question("systemctl", "list-units", "--all", "--type=service", "--plain", "--no-legend", "*ceilometer*")
LIST_CONTAINERS = question(
    *("bash", "-c", 'command -v podman >/dev/null || exit 0; exec podman ps --all --format "{{.Names}} {{.Status}}"'),
)


@dataclass(frozen=True)
class Agent:
    """One of Ceilometer's agents on a host.

    Attributes:
        name: Of the unit, or of the container.
        containerized: Whether it is a container.
        polls: Whether it polls; else it reads the file only where the notification agent does, too (`PollingFile`).
        runs: Whether it runs. One that does not may be off for a reason: OSP 8's ipmi agent fails where there is no IPMI.
    """

    name: str
    containerized: bool
    polls: bool = True
    runs: bool = True


def parse_agents(units: str, containers: str) -> list[Agent]:
    """Find the agents that may read the interval, whether they run or not.

    Args:
        units: What `LIST_UNITS` prints; only loaded units count.
        containers: What `LIST_CONTAINERS` prints. TripleO has a unit `tripleo_<name>` for each, which is not listed twice.
    """
    contained = [
        Agent(name, True, kind in _POLLING, status.startswith("Up"))
        for name, kind, status in _CONTAINER.findall(containers)
        if kind in _READING
    ]
    units_of_its_own = [
        Agent(name, False, kind in _POLLING, active == "active")
        for name, kind, load, active in _UNIT.findall(units)
        if kind in _READING and load == "loaded"
    ]
    return contained + units_of_its_own


def read_agents(shell: Shell) -> list[Agent]:
    """Ask the host.

    Raises:
        HostError: None of them polls; with how they run instead, where that can be told.
    """
    units, containers = shell.run(LIST_UNITS).stdout, shell.run(LIST_CONTAINERS).stdout
    found = parse_agents(units, containers)
    if not any(agent.polls for agent in found):
        raise HostError(shell.name, *describe_other_layout(shell, units, containers))
    if any(agent.containerized for agent in found):
        raise_if_edpm(shell)
    return found


# Since when: systemd tells it in microseconds of the host's uptime, podman in seconds of the clock. Systemd of OSP 8 knows no
# `show --value`.
_UNIT_RUNNING = """
state=$(systemctl is-active "$1") || :
if [ "$state" != active ]; then echo "$state"; exit 0; fi
since=$(systemctl show --property ActiveEnterTimestampMonotonic "$1" | cut -d= -f2)
read -r up _ </proc/uptime
[ $(( ${up%.*} - since / 1000000 )) -ge "$2" ] && echo "running for $2 s" || echo "running for less than $2 s"
"""
_CONTAINER_RUNNING = """
state=$(podman container inspect --format '{{.State.Status}} {{.State.StartedAt.Unix}}' "$1") || { echo absent; exit 0; }
if [ "${state% *}" != running ]; then echo "${state% *}"; exit 0; fi
[ $(( $(date +%s) - ${state#* } )) -ge "$2" ] && echo "running for $2 s" || echo "running for less than $2 s"
"""


def restart(agent: Agent) -> Change:
    """Restart one agent and wait until it has run for as long as it takes to read its file."""
    running_script = _CONTAINER_RUNNING if agent.containerized else _UNIT_RUNNING
    look = script(running_script, agent.name, str(_RUNNING_S), quiet=True, changes=False)
    where = "podman logs" if agent.containerized else "journalctl -u"
    running = Wait(
        f"{'container' if agent.containerized else 'unit'} {agent.name}",
        _RUNNING,
        lambda shell: shell.run(look).text,
        60,
        hint=f"see `{where} {agent.name}`; put the old file back (put_back) if it does not like the new one",
    )
    if agent.containerized:
        return replace(restart_service(agent.name), until=running)
    # One that has failed too often is not started again before its failures are forgotten.
    reset = () if agent.runs else (command("systemctl", "reset-failed", agent.name, ok=(0, 1)),)
    return Change((*reset, command("systemctl", "restart", agent.name)), until=running)
