"""A change as a value: what is run, how to see that it is already so, what to wait for afterwards.

Because it is a value, the plan, the run and the tests read the very same thing (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from blocks.cloud import CloudAccess
from blocks.remote.cloud import Cloud
from blocks.remote.command import Command
from blocks.remote.shell import LineSink, Shell
from blocks.remote.units import LongCommand
from blocks.remote.waiting import wait_until
from blocks.site import Host
from tasks.engine.journal import Outcome, Undo

# Where a change is made, and through what: a host's shell, or a cloud's API.
Place = Shell | Cloud
P = TypeVar("P", bound=Place, default=Shell)
# What a step names as its place.
Spot = Host | CloudAccess


@dataclass(frozen=True)
class Watch:
    """Who watches while a long thing is done.

    Attributes:
        line: Gets each line of output as it comes.
        progress: Gets the percentage that is done.
    """

    line: LineSink
    progress: Callable[[float], None]


@dataclass(frozen=True)
class Call:
    """What is done through a cloud's API, as commands are run on a host. Must bear being done again after it was cut short.

    Attributes:
        shown: What an operator would type for it; for the plan. No secret.
        do: Does it; returns `done`, `already` or `attached`.
    """

    shown: str
    do: Callable[[Cloud, Watch], Outcome]


@dataclass(frozen=True)
class Wait(Generic[P]):
    """Something that must become true before the step is over.

    Attributes:
        subject: What is looked at.
        wanted: What it should become.
        look: Reads it once.
        within_s: Seconds until the step fails.
        hint: What the operator does when it never comes.
        every_s: Seconds between two looks.
    """

    subject: str
    wanted: str
    look: Callable[[P], str]
    within_s: float
    hint: str = ""
    every_s: float = 0.3

    def __str__(self) -> str:
        return f"{self.subject} is {self.wanted!r} (at most {self.within_s:g} s)"

    def on(self, place: P) -> None:
        """Wait there.

        Raises:
            WaitExpired: It did not come within `within_s`.
        """
        wait_until(
            place.name, self.subject, self.wanted, lambda: self.look(place), self.within_s, self.every_s, hint=self.hint
        )


@dataclass(frozen=True)
class Change(Generic[P]):
    """One change in one place.

    Attributes:
        commands: What is run, in order. Each must bear being run again after it was cut short.
        already: Looks whether there is nothing to do. None where only the journal can know.
        until: What is waited for afterwards (and also where there was nothing to do).
        tells: Reads afterwards what the operator should know.
    """

    commands: tuple[Command | LongCommand | Call, ...]
    already: Callable[[P], bool] | None = None
    until: Wait[P] | None = None
    tells: Callable[[P], list[str]] | None = None

    @property
    def shown(self) -> list[str]:
        """The plan's lines for this change."""
        lines = [one.shown.shown if isinstance(one, LongCommand) else one.shown for one in self.commands]
        return [*lines, f"wait until {self.until}"] if self.until else lines


Do = Change[Any] | Callable[[Any], Change[Any]]


def change_for(do: Do, spot: Spot) -> Change[Any]:
    """Return the change for this host or cloud: the same for all, or made for it."""
    return do if isinstance(do, Change) else do(spot)


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
        hosts: Sequence[Spot],
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
            hosts: Where, all at once unless `one_at_a_time`: hosts, or the site's cloud.
            do: The change.
            one_at_a_time: Each host only after the one before it has settled.
            always: Look again even where an earlier attempt settled this step: its effect can be lost (a reboot).
            begins: What it puts in force, recorded before the change.
            ends: What it lifts, recorded after the change.
        """

    def answer(self, number: str, sentence: str, host: Spot, command: Command | str, said: str) -> None:
        """Note a documented step that only asks, and was asked in preflight.

        Args:
            number: The document's number.
            sentence: What is asked, as an order.
            host: Where.
            command: How; or where the answer stands (a file).
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
