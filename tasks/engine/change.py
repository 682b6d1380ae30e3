"""A change as a value: what is run, how to see that it is already so, what to wait for afterwards.

Because it is a value, the plan, the run and the tests read the very same thing (docs/decisions/0002).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from typing_extensions import TypeVar

from blocks.remote.connection import Action, Connection, Performed, Watch
from blocks.remote.shell import Shell
from blocks.remote.waiting import wait_until

C = TypeVar("C", bound=Connection, default=Shell)


@dataclass(frozen=True)
class Call(Action[C]):
    """What is done through an API, as a command is run on a host.

    Attributes:
        line: What an operator would type for it; for the plan. No secret.
        do: Does it; returns `done`, `already` or `attached`.
    """

    line: str
    do: Callable[[C, Watch], Performed]

    @property
    def shown(self) -> str:
        """The line."""
        return self.line

    def perform(self, connection: C, watch: Watch) -> Performed:
        """Do it; raises what `do` does."""
        return self.do(connection, watch)


@dataclass(frozen=True)
class Wait(Generic[C]):
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
    look: Callable[[C], str]
    within_s: float
    hint: str = ""
    every_s: float = 0.3

    def __str__(self) -> str:
        return f"{self.subject} is {self.wanted!r} (at most {self.within_s:g} s)"

    def on(self, connection: C) -> None:
        """Wait there.

        Raises:
            WaitExpired: It did not come within `within_s`.
        """
        wait_until(
            connection.name,
            self.subject,
            self.wanted,
            lambda: self.look(connection),
            self.within_s,
            self.every_s,
            hint=self.hint,
        )


@dataclass(frozen=True)
class Change(Generic[C]):
    """One change through one connection.

    Attributes:
        commands: What is run, in order. Each must bear being run again after it was cut short.
        already: Looks whether there is nothing to do. None where only the journal can know.
        until: What is waited for afterwards (and also where there was nothing to do).
        findings_after: Reads afterwards what the operator should know.
    """

    commands: tuple[Action[C], ...]
    already: Callable[[C], bool] | None = None
    until: Wait[C] | None = None
    findings_after: Callable[[C], list[str]] | None = None

    @property
    def shown(self) -> list[str]:
        """The plan's lines for this change."""
        lines = [action.shown for action in self.commands]
        return [*lines, f"wait until {self.until}"] if self.until else lines


# A change that is the same everywhere, or one made for each host.
ChangeFor = Change[Any] | Callable[[Any], Change[Any]]


def change_for(do: ChangeFor, connection: Connection) -> Change[Any]:
    """Return the change for this host or cloud: the same for all, or made for it."""
    return do if isinstance(do, Change) else do(connection)
