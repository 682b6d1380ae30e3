"""What walks through a procedure: the planner, which only notes it, and the run, which performs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from blocks.remote.command import Command
from blocks.remote.connection import Connection
from tasks.engine.change import ChangeFor
from tasks.engine.cleanup import Cleanup
from tasks.engine.results import Results


@dataclass(frozen=True)
class Fence:
    """A state that one step raises and a later one lifts, told to the operator when a run ends in between.

    Attributes:
        key: Its name.
        sentence: What is in force, as the report says it.
    """

    key: str
    sentence: str


class Steps(Protocol):
    """Walks through a procedure; see the module."""

    def step(
        self,
        number: str,
        sentence: str,
        on: Sequence[Connection],
        do: ChangeFor,
        *,
        one_at_a_time: bool = False,
        always: bool = False,
        raises: Fence | None = None,
        lifts: Fence | None = None,
        results: Results[Any] | None = None,
    ) -> None:
        """Take one documented step.

        Args:
            number: The document's number.
            sentence: What it does, as an order.
            on: Where, all at once unless `one_at_a_time`: hosts, or the site's cloud.
            do: The change.
            one_at_a_time: Each host only after the one before it has settled.
            always: Look again even where an earlier attempt settled this step: its effect can be lost (a reboot).
            raises: What it puts in force, recorded before the change.
            lifts: What it lifts, recorded after the change.
            results: What it returns to later steps, recorded after the change.
        """

    def record_answer(self, number: str, sentence: str, on: Connection, command: Command | str, answer: str) -> None:
        """Note a documented step that only asks, and was asked in preflight.

        Args:
            number: The document's number.
            sentence: What is asked, as an order.
            on: Where.
            command: How; or where the answer stands (a file).
            answer: The answer as the report may show it.
        """

    def skip(self, number: str, sentence: str, why: str) -> None:
        """Note a documented step that is left out, and why."""

    def fall_back(self, first: Callable[[], None], instead: Callable[[], None], why: str) -> None:
        """Take some steps; where what one of them waits for does not come in time, take others instead.

        Args:
            first: Takes the first steps.
            instead: Takes the others.
            why: What has not happened then, as a finding; the plan says it, too.
        """

    def cleanup(self, cleanup: Cleanup) -> AbstractContextManager[None]:
        """Clean up at the end of the block, whatever happens in it.

        Args:
            cleanup: What is cleaned up and how; on record, and armed on each host, before the block begins.
        """

    def report_finding(self, finding: str) -> None:
        """Tell the operator something that the report must say."""
