"""What one change of the polling interval is made from: the hosts, their files, the agents that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from tasks.engine.change import Change
from tasks.engine.checks import Check
from tasks.engine.journal import Journal
from tasks.engine.run import Run
from tasks.runbooks.set_telemetry_interval.host_state import HostState, look_at_host
from tasks.telemetry import polling, polling_backups, polling_changes
from tasks.telemetry.agents import Agent, restart
from tasks.telemetry.polling import PollingFile


@dataclass(frozen=True)
class PollingChange:
    """What is set where.

    Attributes:
        hosts: Where.
        files: Host → its file, as it was read.
        agents: Host → name → agent that reads the file.
        interval_s: The new interval; None where the old file is put back.
        stamp: Of the name that the old file is kept under, or put back from.
        journal: Of this attempt, with what an earlier one kept.
        resumed: Whether an earlier attempt was cut short: its agents may still read the old file.
        run_stamp: When this attempt began, for the name of a broken file that the old one replaces.
        stopped_agents: Sentences on agents that do not run and are left alone.
    """

    hosts: list[Shell]
    files: Mapping[str, PollingFile]
    agents: Mapping[str, Mapping[str, Agent]]
    interval_s: int | None
    stamp: str
    journal: Journal
    resumed: bool
    run_stamp: str
    stopped_agents: list[str]

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
        return not (self.resumed or self.put_back) and all(
            polling.find_source(file).interval_s == self.interval_s for file in self.files.values()
        )

    @property
    def warnings(self) -> list[str]:
        """What the operator must know."""
        if self.interval_s is not None:
            overwritten = {f"{file.path}: {file.overwritten}" for file in self.files.values() if file.overwritten}
            return polling.interval_warnings(self.interval_s) + sorted(overwritten) + self.stopped_agents
        broken = [
            f"{name}: {file.path} is broken, and is kept as {polling_backups.broken_path(file.path, self.run_stamp)}"
            for name, file in self.files.items()
            if polling.is_broken(file)
        ]
        return broken + self.stopped_agents

    @property
    def summary(self) -> str:
        """The work in a sentence."""
        names = ", ".join(host.name for host in self.hosts)
        if self.interval_s is None:
            return f"the file that was kept as …before-{self.stamp} is put back on {names}, as far as it is there"
        if self.nothing_to_do:
            return f"CPU is polled every {self.interval_s} s on {names} already"
        now = ", ".join(sorted({f"{polling.find_source(file).interval_s} s" for file in self.files.values()}))
        kept = ", ".join(sorted({polling.backup_path(file.path, self.stamp) for file in self.files.values()}))
        return f"CPU is polled every {self.interval_s} s instead of {now} on {names}; the old file is kept as {kept}"

    def change(self, host: str) -> Change:
        """What is done to the file of a host."""
        if self.interval_s is None:
            return polling_changes.put_back(self.files[host], self.stamp, self.run_stamp)
        return polling_changes.set_interval(self.files[host], self.interval_s, self.stamp)

    def with_agent(self, name: str) -> list[Shell]:
        """The hosts that have an agent."""
        return [host for host in self.hosts if name in self.agents[host.name]]

    def restart(self, name: str) -> Callable[[Shell], Change]:
        """What restarts an agent on a host."""
        return lambda host: restart(self.agents[host.name][name])


# The name of a check.
_KEPT = "kept polling file"
# In the journal, what must be the same in every attempt.
_BACKUP_STAMP, _PUT_BACK = "old files, dated", "put back from those dated"


class PollingState(BaseModel):
    """What a change of the interval records besides its steps.

    Attributes:
        agents: Host → the agents that it restarts: one of these may have died of it.
    """

    model_config = ConfigDict(frozen=True)

    agents: dict[str, tuple[str, ...]] = Field(default_factory=dict)


def look(run: Run, interval_s: int, put_back: bool) -> PollingChange:
    """Look at all hosts, and refuse with the complete list.

    Args:
        run: The run; what it has against beginning already is told as well.
        interval_s: The new interval, in seconds.
        put_back: Whether the old file is put back instead.

    Raises:
        Refused: With every reason.
    """
    # An attempt that was cut short may have left an agent that does not run.
    earlier, ended, unread = _read_earlier_journals(run)
    journal = earlier or run.journal
    before = journal.state_as(PollingState).agents
    agents = _last_restarted(ended) | before if put_back else before
    looked = run.everywhere(
        "telemetry", lambda shell: look_at_host(shell, interval_s, put_back, agents.get(shell.name, ()))
    )
    run.checks += [*(check for checks, _ in looked.values() for check in checks), *unread]
    seen = {name: state for name, (_, state) in looked.items() if state is not None}
    run.refuse_if_any()
    if earlier is not None:
        journal.attempts += 1
    if put_back:
        stamp = _stamp_to_put_back(run, journal, seen)
        journal.kept = {_PUT_BACK: stamp}
    else:
        stamp = _backup_stamp(run, journal, seen)
        journal.kept = {_BACKUP_STAMP: stamp}
    run.refuse_if_any()
    restarted = {name: tuple(agent.name for agent in state.agents) for name, state in seen.items()}
    journal.record_state(PollingState(agents=restarted))
    return PollingChange(
        hosts=run.hosts,
        files={name: state.file for name, state in seen.items()},
        agents={name: {agent.name: agent for agent in state.agents} for name, state in seen.items()},
        interval_s=None if put_back else interval_s,
        stamp=stamp,
        journal=journal,
        resumed=earlier is not None,
        run_stamp=run.journal.stamp,
        stopped_agents=[
            f"{name}: {agent} does not run, and is left alone"
            for name, state in seen.items()
            for agent in state.stopped_agents
        ],
    )


def _read_earlier_journals(run: Run) -> tuple[Journal | None, list[Journal], list[Check]]:
    """The journal of an attempt that was cut short, and those of ended runs; or why they can't be read, told with all else."""
    try:
        return *run.journals.read(), []
    except RunbookError as error:
        return None, [], Check.of(error, "journal")


def _last_restarted(ended: list[Journal]) -> dict[str, tuple[str, ...]]:
    """What the last run that set an interval has restarted: one of these may have died of it after that run's end."""
    setting = (journal for journal in reversed(ended) if _BACKUP_STAMP in journal.kept)
    return next((journal.state_as(PollingState).agents for journal in setting), {})


def _stamp_to_put_back(run: Run, journal: Journal, seen: Mapping[str, HostState]) -> str:
    """The newest stamp on any host, or the one that an attempt which was cut short has begun to put back.

    A file that has changed in more than its interval since then is not thrown away, unless no agent can read it.
    """
    newest = max((stamp for state in seen.values() for stamp in state.stamps), default="")
    stamp = journal.kept.get(_PUT_BACK, newest)
    if not stamp:
        paths = ", ".join(sorted({state.file.path for state in seen.values()}))
        reason, hint = f"no earlier {paths} is kept on any host", "set the interval that you want instead"
        run.checks.append(Check(_KEPT, "", "", reason, hint))
        return stamp
    for name, state in seen.items():
        if stamp not in state.stamps and polling.is_broken(state.file):
            missing = polling.backup_path(state.file.path, stamp)
            reason = f"{state.file.path} is broken, and no {missing} is there"
            run.checks.append(Check(_KEPT, name, "", reason, "correct it first"))
    for name, kept in _read_backups(run, seen, stamp).items():
        if not polling_backups.may_replace(seen[name].file, kept):
            reason = (
                f"{kept.path} has changed in more than its interval since {stamp}, which putting it back would undo"
            )
            backup = polling.backup_path(kept.path, stamp)
            hint = f"set the interval that you want instead, or compare it with {backup}"
            run.checks.append(Check(_KEPT, name, "", reason, hint))
    return stamp


def _backup_stamp(run: Run, journal: Journal, seen: Mapping[str, HostState]) -> str:
    """The stamp of an attempt that was cut short, unless a file has changed in more than its interval since."""
    stamp = journal.kept.get(_BACKUP_STAMP, journal.stamp)
    kept = _read_backups(run, seen, stamp)
    if all(polling_backups.same_but_interval(backup, seen[name].file) for name, backup in kept.items()):
        return stamp
    return run.journal.stamp


def _read_backups(run: Run, seen: Mapping[str, HostState], stamp: str) -> dict[str, PollingFile]:
    """What is kept under a stamp, on each host that has it."""
    having = {name: state.file.path for name, state in seen.items() if stamp in state.stamps}
    found = run.everywhere(
        _KEPT,
        lambda shell: polling_backups.read_backup(shell, having[shell.name], stamp) if shell.name in having else None,
    )
    return {name: file for name, file in found.items() if file is not None}
