"""Ceilometer's agents on a host, as units or as TripleO's or kolla-ansible's containers: found by name, restarted one by one.

AS 1.2 step 5 restarts every OpenStack service; only the agents read the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from blocks.remote.command import command, question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait
from tasks.node.podman import restart_service
from tasks.telemetry import kolla
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
LIST_DOCKER = question(
    *("bash", "-c", 'command -v docker >/dev/null || exit 0; exec docker ps --all --format "{{.Names}} {{.Status}}"'),
)


class Layout(StrEnum):
    """How agents run on a host."""

    UNITS = "units"
    TRIPLEO = "TripleO's containers"
    KOLLA = "kolla-ansible's containers"


@dataclass(frozen=True)
class Agent:
    """One of Ceilometer's agents on a host.

    Attributes:
        name: Of the unit, or of the container.
        layout: How it runs.
        polls: Whether it polls; else it reads the file only where the notification agent does, too (`PollingFile`).
        runs: Whether it runs. One that does not may be off for a reason: OSP 8's ipmi agent fails where there is no IPMI.
        engine: Of a container: `podman` or `docker`.
    """

    name: str
    layout: Layout
    polls: bool = True
    runs: bool = True
    engine: str = "podman"


def parse_agents(units: str, containers: str) -> list[Agent]:
    """Find the agents that may read the interval, whether they run or not.

    Args:
        units: What `LIST_UNITS` prints; only loaded units count.
        containers: What `LIST_CONTAINERS` prints. TripleO has a unit `tripleo_<name>` for each, which is not listed twice.
    """
    if of_kolla := parse_kolla_agents("podman", containers):
        return of_kolla
    contained = [
        Agent(name, Layout.TRIPLEO, kind in _POLLING, status.startswith("Up"))
        for name, kind, status in _CONTAINER.findall(containers)
        if kind in _READING
    ]
    units_of_its_own = [
        Agent(name, Layout.UNITS, kind in _POLLING, active == "active")
        for name, kind, load, active in _UNIT.findall(units)
        if kind in _READING and load == "loaded"
    ]
    return contained + units_of_its_own


def parse_kolla_agents(engine: str, listed: str) -> list[Agent]:
    """Find the one of kolla-ansible's containers that polls CPU: each has a file of its own (`kolla`).

    Args:
        engine: `podman` or `docker`.
        listed: Its containers, as `LIST_CONTAINERS` and `LIST_DOCKER` print them.
    """
    containers = kolla.parse_containers(listed)
    return [
        Agent(name, Layout.KOLLA, runs=runs, engine=engine)
        for name, runs in containers.items()
        if name == kolla.COMPUTE
    ]


def read_agents(shell: Shell) -> list[Agent]:
    """Ask the host.

    Raises:
        HostError: None of them polls; with how they run instead, where that can be told.
    """
    units, containers = shell.run(LIST_UNITS).stdout, shell.run(LIST_CONTAINERS).stdout
    found, docker = parse_agents(units, containers), ""
    # What does not run may have been left behind: units of packages by containers, podman's containers by Docker's. (`docker` may
    # also be podman's own, which lists the same once more.)
    if not any(agent.polls and agent.runs for agent in found):
        docker = shell.run(LIST_DOCKER).stdout
        in_docker = parse_kolla_agents("docker", docker)
        if any(agent.runs for agent in in_docker) or not any(agent.layout is Layout.KOLLA for agent in found):
            found = in_docker or found
    if not any(agent.polls for agent in found):
        raise HostError(shell.name, *describe_other_layout(units, containers, docker))
    if any(agent.layout is Layout.TRIPLEO for agent in found):
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
_PODMAN_RUNNING = """
state=$(podman container inspect --format '{{.State.Status}} {{.State.StartedAt.Unix}}' "$1") || { echo absent; exit 0; }
if [ "${state% *}" != running ]; then echo "${state% *}"; exit 0; fi
[ $(( $(date +%s) - ${state#* } )) -ge "$2" ] && echo "running for $2 s" || echo "running for less than $2 s"
"""
# Docker writes the time as text.
_DOCKER_RUNNING = """
state=$(docker inspect --type=container --format '{{.State.Status}} {{.State.StartedAt}}' "$1") || { echo absent; exit 0; }
if [ "${state% *}" != running ]; then echo "${state% *}"; exit 0; fi
since=$(date -d "${state#* }" +%s)
[ $(( $(date +%s) - since )) -ge "$2" ] && echo "running for $2 s" || echo "running for less than $2 s"
"""
_RUNNING_SCRIPTS = {"podman": _PODMAN_RUNNING, "docker": _DOCKER_RUNNING}


def restart(agent: Agent) -> Change:
    """Restart one agent and wait until it has run for as long as it takes to read its file."""
    in_unit = agent.layout is Layout.UNITS
    running_script = _UNIT_RUNNING if in_unit else _RUNNING_SCRIPTS[agent.engine]
    look = script(running_script, agent.name, str(_RUNNING_S), quiet=True, changes=False)
    where = f"`journalctl -u {agent.name}`" if in_unit else f"`{agent.engine} logs {agent.name}`"
    if agent.layout is Layout.KOLLA:
        where += " and /var/log/kolla/ceilometer"
    running = Wait(
        f"{'unit' if in_unit else 'container'} {agent.name}",
        _RUNNING,
        lambda shell: shell.run(look).text,
        60,
        hint=f"see {where}; put the old file back (put_back) if it does not like the new one",
    )
    if agent.layout is Layout.KOLLA:
        return replace(kolla.restart(agent.engine, agent.name), until=running)
    if agent.layout is Layout.TRIPLEO:
        return replace(restart_service(agent.name), until=running)
    # One that has failed too often is not started again before its failures are forgotten.
    reset = () if agent.runs else (command("systemctl", "reset-failed", agent.name, ok=(0, 1)),)
    return Change((*reset, command("systemctl", "restart", agent.name)), until=running)
