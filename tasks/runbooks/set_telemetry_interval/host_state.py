"""What preflight sees on one host of its polling file and of the agents that read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.checks import Check
from tasks.node.versions import TELEMETRY, check_versions, read_versions
from tasks.telemetry import kolla, polling, polling_backups
from tasks.telemetry.agents import Agent, Layout, read_agents
from tasks.telemetry.polling import PollingFile


@dataclass(frozen=True)
class HostState:
    """A host as it was seen.

    Attributes:
        file: Its polling file.
        agents: Those that read it, and are restarted.
        stamps: Of the files that earlier runs have kept beside it, the oldest first.
        stopped_agents: Names of those that do not run and are left alone.
    """

    file: PollingFile
    agents: list[Agent]
    stamps: list[str]
    stopped_agents: list[str]


def look_at_host(
    shell: Shell, interval_s: int, put_back: bool, restarted: Sequence[str]
) -> tuple[list[Check], HostState | None]:
    """Look at one host, as far as its versions allow.

    Args:
        shell: The host's.
        interval_s: The new interval, in seconds.
        put_back: Whether the old file is put back instead.
        restarted: Names of the agents that an earlier run was to restart: these count though they do not run.

    Returns:
        What was looked at, and the state; None where the versions speak against looking on.
    """
    checks = check_versions(shell.name, read_versions(shell, TELEMETRY), TELEMETRY)
    if not all(check.ok for check in checks):
        return checks, None
    state = _read_state(shell, interval_s, put_back, restarted)
    checks.append(Check("polling file", shell.name, _seen(state.file)))
    checks.append(Check("agents", shell.name, ", ".join(agent.name for agent in state.agents)))
    return checks, state


def _seen(file: PollingFile) -> str:
    """What a file says of the interval; one that is put back anyway may say nothing that can be read."""
    try:
        return f"{file.path}: CPU every {polling.find_source(file).interval_s} s"
    except HostError:
        return f"{file.path}: no interval of CPU can be read there"


def _read_state(shell: Shell, interval_s: int, put_back: bool, restarted: Sequence[str]) -> HostState:
    known = read_agents(shell)
    there = _agents_to_restart(shell.name, known, put_back, restarted)
    file = _read_polling_file(shell, there)
    if not put_back:
        polling.with_interval(file, interval_s)  # raises where it can't be done
    agents = [agent for agent in there if agent.polls or file.read_by_notification_agent]
    idle = [agent.name for agent in known if agent.polls and agent not in there]
    return HostState(file, agents, polling_backups.read_stamps(shell, file.path), idle)


def _read_polling_file(shell: Shell, agents: Sequence[Agent]) -> PollingFile:
    """Read the file that these agents of one host poll by."""
    for agent in agents:
        if agent.layout is Layout.KOLLA:
            return kolla.read_file(shell, agent.engine, agent.name)
    return polling.read_file(shell, any(agent.layout is Layout.TRIPLEO for agent in agents))


def _agents_to_restart(host: str, known: list[Agent], put_back: bool, restarted: Sequence[str]) -> list[Agent]:
    """The agents that are restarted.

    Where none runs that polls, the present file may be the reason: that must not stand in the way of the old one.
    """
    there = [agent for agent in known if agent.runs or agent.name in restarted]
    if any(agent.polls for agent in there):
        return there
    if put_back:
        return known
    raise HostError(
        host,
        "none of Ceilometer's agents that poll runs",
        "start one; put the old file back (put_back) if they do not like the present one; or name the role of the hosts that "
        "poll instances",
    )
