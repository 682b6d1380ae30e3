"""The order of a runbook's steps, and how far in it an earlier run has got."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.engine.journal import Journal


class Order:
    """The numbers of the runbook's steps, in the order in which its procedure takes them.

    Args:
        numbers: As the plan of a first attempt has them.
    """

    def __init__(self, numbers: Sequence[str]) -> None:
        self.numbers = tuple(numbers)

    def __contains__(self, number: str) -> bool:
        return number in self.numbers

    def before(self, number: str) -> tuple[str, ...]:
        """The steps before one."""
        return self.numbers[: self.numbers.index(number)]

    def place_of(self, journal: Journal) -> str:
        """How far a run has got: a step that is looked at again in any case may have been the last one to begin."""
        unsettled = next((number for number in self.numbers if number not in journal.settled), self.numbers[-1])
        return max(journal.begun or self.numbers[0], unsettled, key=self.numbers.index)

    def reached(self, begun: str, number: str) -> bool:
        """Whether a run that has begun one step has begun another, which comes at the same place or before it."""
        return begun in self.numbers and self.numbers.index(begun) >= self.numbers.index(number)
