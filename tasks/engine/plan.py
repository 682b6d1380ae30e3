"""The plan: every step with its hosts and masked commands, readable before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from blocks.remote.command import Command, command
from blocks.remote.connection import Connection
from blocks.remote.secrets import mask
from tasks.engine.change import ChangeFor, change_for
from tasks.engine.cleanup import Cleanup
from tasks.engine.results import Results
from tasks.engine.steps import Fence, Steps

J = TypeVar("J")


@dataclass(frozen=True)
class PlannedStep:
    """One step of a plan.

    Attributes:
        number: The document's number.
        sentence: What it does.
        hosts: Names of the hosts.
        lines: Host → commands and waits, masked. One key for all hosts where they are the same.
        one_at_a_time: Whether the hosts take turns.
        note: Why it is left out, or what was answered.
        only_if: What must have gone wrong before it is taken; empty for a step that is taken anyway.
    """

    number: str
    sentence: str
    hosts: tuple[str, ...]
    lines: dict[str, list[str]]
    one_at_a_time: bool = False
    note: str = ""
    only_if: str = ""


@dataclass
class Plan:
    """Notes the steps of a procedure without performing them; a `tasks.engine.steps.Steps`."""

    steps: list[PlannedStep] = field(default_factory=list)
    _only_if: str = ""

    @property
    def numbers(self) -> tuple[str, ...]:
        """The steps' numbers in the order in which they are first taken; what only cleans up has none."""
        return tuple(dict.fromkeys(step.number for step in self.steps if step.number != _NO_NUMBER))

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
        """Note a step with what it would run."""
        by_host = {connection.name: [mask(line) for line in change_for(do, connection).shown] for connection in on}
        same = len({tuple(lines) for lines in by_host.values()}) == 1
        lines = {"each" if len(by_host) > 1 else on[0].name: next(iter(by_host.values()))} if same else by_host
        note = raises.sentence if raises else ""
        self._note(number, sentence, tuple(by_host), lines, one_at_a_time, note)

    def record_answer(self, number: str, sentence: str, on: Connection, command: Command | str, answer: str) -> None:
        """Note a question and its answer."""
        line = mask(command if isinstance(command, str) else command.shown)
        self._note(number, sentence, (on.name,), {on.name: [line]}, note=f"answered {mask(answer)}")

    def skip(self, number: str, sentence: str, why: str) -> None:
        """Note what is left out."""
        self._note(number, sentence, (), {}, note=f"left out: {why}")

    def fall_back(self, first: Callable[[], None], instead: Callable[[], None], why: str) -> None:
        """Note both, the second with what it is for."""
        first()
        before, self._only_if = self._only_if, why
        instead()
        self._only_if = before

    @contextmanager
    def cleanup(self, cleanup: Cleanup) -> Iterator[None]:
        """Note what will be cleaned up, where it will be cleaned up."""
        yield
        lines = {host: [mask(command(*words).shown)] for host, words in cleanup.words.items()}
        self._note(_NO_NUMBER, cleanup.sentence, tuple(lines), lines, note="whatever happens before")

    def report_finding(self, finding: str) -> None:
        """A plan finds nothing: what a run tells, it tells when it happens."""

    def _note(
        self,
        number: str,
        sentence: str,
        hosts: tuple[str, ...],
        lines: dict[str, list[str]],
        one_at_a_time: bool = False,
        note: str = "",
    ) -> None:
        self.steps.append(PlannedStep(number, sentence, hosts, lines, one_at_a_time, note, self._only_if))

    def text(self) -> str:
        """The plan as plain text, the form of the golden files and of the log."""
        return "\n".join(line for step in self.steps for line in _lines(step)) + "\n"


_NO_NUMBER = "–"


def _lines(step: PlannedStep) -> Iterator[str]:
    where = ", ".join(step.hosts)
    turns = ", one at a time" if step.one_at_a_time else ""
    yield f"{step.number}. {step.sentence}" + (f" [{where}{turns}]" if where else "")
    if step.only_if:
        yield f"     (only where {step.only_if})"
    if step.note:
        yield f"     ({step.note})"
    for host, lines in step.lines.items():
        indent = "     "
        if len(step.lines) > 1:
            yield f"     on {host}:"
            indent = "       "
        yield from (f"{indent}{line}" for text in lines for line in text.splitlines())


def plan_of(procedure: Callable[[Steps, J], None], job: J) -> Plan:
    """Walk through a procedure without performing it."""
    plan = Plan()
    procedure(plan, job)
    return plan
