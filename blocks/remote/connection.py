"""What runbooks reach things through: an SSH host, a cloud's API, a BMC; and what is done through it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Protocol

from typing_extensions import TypeVar

LineSink = Callable[[str], None]

# How an action ended: it was done; it was so already; one that an earlier run had begun was found, and waited for.
Performed = Literal["done", "already", "attached"]


@dataclass(frozen=True)
class Watch:
    """Who watches while a long thing is done.

    Attributes:
        line: Gets each line of output as it comes.
        progress: Gets the percentage that is done.
        phase: Gets what is under way, in a few words, before the percentage.
    """

    line: LineSink
    progress: Callable[[float], None]
    phase: LineSink = lambda _: None


class Connection(Protocol):
    """What a step is taken through. What it can run is its own affair: each kind has actions of its own.

    Attributes:
        name: What it is called in plans and errors.
        retryable: Errors after which an action may be tried again: nothing happened, or looking and running again is safe.
    """

    name: str
    retryable: ClassVar[tuple[type[Exception], ...]]

    def close(self) -> None:
        """End whatever is under way, from whichever thread; nothing new goes out."""


C = TypeVar("C", bound=Connection, default=Any)


class Action(ABC, Generic[C]):
    """One thing that is done through a connection. Must bear being done again after it was cut short."""

    @property
    @abstractmethod
    def shown(self) -> str:
        """What an operator would type for it; for the plan. No secret."""

    @abstractmethod
    def perform(self, connection: C, watch: Watch) -> Performed:
        """Do it.

        Raises:
            RunbookError: It failed.
        """

    def has_unread_result(self, connection: C) -> bool:
        """Whether an earlier run's result waits to be read: then this is performed whatever else is seen."""
        return False

    def forget(self, connection: C) -> None:
        """Drop the result, once it is on record."""
        return
