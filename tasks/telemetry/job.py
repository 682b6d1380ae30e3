"""What one change of the polling interval is made from: the hosts, their files, the agents that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from blocks.remote.errors import HostError, Refused
from blocks.remote.shell import Shell
from blocks.site import Host
from tasks.change import Change
from tasks.journal import Journal
from tasks.perform import preflight_task
from tasks.runbook import Runbook
from tasks.telemetry import interval as telemetry
from tasks.telemetry.agents import Agent, read_agents, restart
from tasks.telemetry.interval import TelemetryFile


@dataclass(frozen=True)
class Job:
    """What is set where.

    Attributes:
        hosts: Where.
        files: Host → its file, as it was read.
        agents: Host → name → agent that reads the file.
        interval_s: The new interval; None where the old file is put back.
        kept: Host → what the old file is kept as, or put back from.
        journal: Of this attempt, with what an earlier one kept.
        again: Whether an earlier attempt was cut short: its agents may still read the old file.
    """

    hosts: list[Host]
    files: Mapping[str, TelemetryFile]
    agents: Mapping[str, Mapping[str, Agent]]
    interval_s: int | None
    kept: Mapping[str, str]
    journal: Journal
    again: bool

    @property
    def put_back(self) -> bool:
        """Whether the old file is put back."""
        return self.interval_s is None

    @property
    def agent_names(self) -> list[str]:
        """Names of all agents, in a stable order."""
        return sorted({name for agents in self.agents.values() for name in agents})

    @property
    def nothing_to_do(self) -> bool:
        """Whether every host has the interval, and nothing waits for a restart."""
        return not self.again and all(
            telemetry.find_source(file).interval_s == self.interval_s for file in self.files.values()
        )

    @property
    def warnings(self) -> list[str]:
        """What the operator must know."""
        return [] if self.interval_s is None else telemetry.warnings(self.interval_s)

    @property
    def summary(self) -> str:
        """The work in a sentence."""
        names = ", ".join(host.name for host in self.hosts)
        if self.interval_s is None:
            return f"the file that was kept is put back on {names}"
        if self.nothing_to_do:
            return f"CPU is polled every {self.interval_s} s on {names} already"
        now = ", ".join(sorted({f"{telemetry.find_source(file).interval_s} s" for file in self.files.values()}))
        kept = ", ".join(sorted(set(self.kept.values())))
        return f"CPU is polled every {self.interval_s} s instead of {now} on {names}; the old file is kept as {kept}"

    def change(self, host: str) -> Change:
        """What is done to the file of a host."""
        if self.interval_s is None:
            return telemetry.put_back(self.files[host].path, self.kept[host])
        return telemetry.set_interval(self.files[host], self.interval_s, self.journal.stamp)

    def with_agent(self, name: str) -> list[Host]:
        """The hosts on which an agent runs."""
        return [host for host in self.hosts if name in self.agents[host.name]]

    def restart(self, name: str) -> Callable[[Host], Change]:
        """What restarts an agent on a host."""
        return lambda host: restart(self.agents[host.name][name])


@dataclass(frozen=True)
class _Seen:
    file: TelemetryFile
    agents: list[Agent]
    kept: list[str]


def preflight(book: Runbook, interval_s: int, put_back: bool) -> Job:
    """Look at all hosts, and refuse with the complete list.

    Args:
        book: The run; reasons that it has already are told as well.
        interval_s: The new interval, in seconds.
        put_back: Whether the old file is put back instead.

    Raises:
        Refused: With every reason.
    """
    return preflight_task(lambda: _look(book, interval_s, put_back))


def _look(book: Runbook, interval_s: int, put_back: bool) -> Job:
    if not book.hosts:
        raise Refused(book.name, ["the role has no host: name the inventory group of those that poll instances"])
    seen = book.everywhere(lambda shell: _look_at_host(shell, interval_s, put_back))
    book.refuse_if_any()
    earlier, _ = book.journals.read()
    journal = earlier or book.journal
    if earlier is not None:
        journal.attempts += 1
    if put_back:
        kept = {name: _last_kept(book, journal, name, one) for name, one in seen.items()}
        book.refuse_if_any()
    else:
        kept = {name: telemetry.kept_name(one.file.path, journal.stamp) for name, one in seen.items()}
    journal.kept = {_key(name): path for name, path in kept.items()}
    return Job(
        hosts=book.hosts,
        files={name: one.file for name, one in seen.items()},
        agents={name: {agent.name: agent for agent in one.agents} for name, one in seen.items()},
        interval_s=None if put_back else interval_s,
        kept=kept,
        journal=journal,
        again=earlier is not None,
    )


def _look_at_host(shell: Shell, interval_s: int, put_back: bool) -> _Seen:
    running = read_agents(shell)
    if not any(agent.polls for agent in running):
        raise HostError(
            shell.name,
            "none of Ceilometer's agents that poll runs",
            "start it, or name the role of the hosts that poll instances",
        )
    file = telemetry.read_file(shell, any(agent.contained for agent in running))
    if not put_back:
        telemetry.with_interval(file, interval_s)  # raises where it can't be done
    agents = [agent for agent in running if agent.polls or file.for_all_agents]
    return _Seen(file, agents, telemetry.read_kept(shell, file.path))


def _last_kept(book: Runbook, journal: Journal, host: str, seen: _Seen) -> str:
    """What is put back: the file that was kept last, or what an attempt that was cut short had put back already."""
    if seen.kept:
        return seen.kept[-1]
    if _key(host) not in journal.kept:
        book.reasons.append(f"{host}: no earlier {seen.file.path} is kept; set the interval that you want instead")
    return journal.kept.get(_key(host), "")


def _key(host: str) -> str:
    return f"old file of {host}"
