"""A change as a value: what is run, how to see that it is already so, what to wait for afterwards.

Because it is a value, the plan, the run and the tests read the very same thing (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from blocks.remote.command import Command
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from blocks.remote.waiting import wait_until
from blocks.site import Host
from tasks.journal import Undo


@dataclass(frozen=True)
class Wait:
    """Something that must become true on a host before the step is over.

    Attributes:
        subject: What is looked at.
        wanted: What it should become.
        look: Reads it once.
        within_s: Seconds until the step fails.
        hint: What the operator does when it never comes.
    """

    subject: str
    wanted: str
    look: Callable[[Shell], str]
    within_s: float
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.subject} is {self.wanted!r} (at most {self.within_s:g} s)"

    def on(self, shell: Shell) -> None:
        """Wait on this host.

        Raises:
            WaitExpired: It did not come within `within_s`.
        """
        wait_until(
            shell.name, self.subject, self.wanted, lambda: self.look(shell), self.within_s, every_s=0.3, hint=self.hint
        )


@dataclass(frozen=True)
class Change:
    """One change on one host.

    Attributes:
        commands: What is run, in order. Each must bear being run again after it was cut short.
        already: Looks whether there is nothing to do. None where only the journal can know.
        until: What is waited for afterwards (and also where there was nothing to do).
        tells: Reads afterwards what the operator should know.
    """

    commands: tuple[Command | LongCommand, ...]
    already: Callable[[Shell], bool] | None = None
    until: Wait | None = None
    tells: Callable[[Shell], list[str]] | None = None

    @property
    def shown(self) -> list[str]:
        """The plan's lines for this change."""
        lines = [command.shown if isinstance(command, Command) else command.shown.shown for command in self.commands]
        return [*lines, f"wait until {self.until}"] if self.until else lines


Do = Change | Callable[[Host], Change]


def change_for(do: Do, host: Host) -> Change:
    """Return the change for this host: the same for all, or made for it."""
    return do if isinstance(do, Change) else do(host)


@dataclass(frozen=True)
class Force:
    """A state that a step puts in force and a later one lifts, told to the operator when a run ends in between.

    Attributes:
        key: Its name.
        sentence: What is in force, as the report says it.
    """

    key: str
    sentence: str


class Steps(Protocol):
    """Whatever walks through a procedure: the planner, which only notes it, and the runbook, which performs it."""

    def step(
        self,
        number: str,
        sentence: str,
        hosts: Sequence[Host],
        do: Do,
        *,
        one_at_a_time: bool = False,
        always: bool = False,
        begins: Force | None = None,
        ends: Force | None = None,
    ) -> None:
        """Take one documented step.

        Args:
            number: The document's number.
            sentence: What it does, as an order.
            hosts: Where, all at once unless `one_at_a_time`.
            do: The change.
            one_at_a_time: Each host only after the one before it has settled.
            always: Look again even where an earlier attempt settled this step: its effect can be lost (a reboot).
            begins: What it puts in force, recorded before the change.
            ends: What it lifts, recorded after the change.
        """

    def answer(self, number: str, sentence: str, host: Host, command: Command, said: str) -> None:
        """Note a documented step that only asks, and was asked in preflight.

        Args:
            number: The document's number.
            sentence: What is asked, as an order.
            host: Where.
            command: How.
            said: The answer as the report may show it.
        """

    def skip(self, number: str, sentence: str, why: str) -> None:
        """Note a documented step that is left out, and why."""

    def undone(self, undo: Undo) -> AbstractContextManager[None]:
        """Undo at the end of the block, whatever happens in it.

        Args:
            undo: What is undone and how; announced to the journal and to the host before the block begins.
        """

    def find(self, finding: str) -> None:
        """Tell the operator something that the report must say."""
