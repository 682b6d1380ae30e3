"""The plan: every step with its hosts and masked commands, readable before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from blocks.remote.command import Command, command
from blocks.remote.secrets import mask
from tasks.engine.change import Do, Force, Spot, change_for
from tasks.engine.journal import Undo


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
    """

    number: str
    sentence: str
    hosts: tuple[str, ...]
    lines: dict[str, list[str]]
    one_at_a_time: bool = False
    note: str = ""


@dataclass
class Plan:
    """Notes the steps of a procedure without performing them; a `tasks.engine.change.Steps`."""

    steps: list[PlannedStep] = field(default_factory=list)

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
        """Note a step with what it would run."""
        by_host = {host.name: [mask(line) for line in change_for(do, host).shown] for host in hosts}
        same = len({tuple(lines) for lines in by_host.values()}) == 1
        lines = {"each" if len(by_host) > 1 else hosts[0].name: next(iter(by_host.values()))} if same else by_host
        note = begins.sentence if begins else ""
        names = tuple(host.name for host in hosts)
        self.steps.append(PlannedStep(number, sentence, names, lines, one_at_a_time, note))

    def answer(self, number: str, sentence: str, host: Spot, command: Command | str, said: str) -> None:
        """Note a question and its answer."""
        self.steps.append(
            PlannedStep(
                number,
                sentence,
                (host.name,),
                {host.name: [mask(command if isinstance(command, str) else command.shown)]},
                note=f"answered {mask(said)}",
            )
        )

    def skip(self, number: str, sentence: str, why: str) -> None:
        """Note what is left out."""
        self.steps.append(PlannedStep(number, sentence, (), {}, note=f"left out: {why}"))

    @contextmanager
    def undone(self, undo: Undo) -> Iterator[None]:
        """Note what will be undone, where it will be undone."""
        yield
        lines = {undo.host: [mask(command(*undo.words).shown)]}
        self.steps.append(PlannedStep("–", undo.sentence, (undo.host,), lines, note="whatever happens before"))

    def find(self, finding: str) -> None:
        """A plan finds nothing: what a run tells, it tells when it happens."""

    def text(self) -> str:
        """The plan as plain text, the form of the golden files and of the log."""
        out: list[str] = []
        for step in self.steps:
            where = ", ".join(step.hosts)
            turns = ", one at a time" if step.one_at_a_time else ""
            out.append(f"{step.number}. {step.sentence}" + (f" [{where}{turns}]" if where else ""))
            if step.note:
                out.append(f"     ({step.note})")
            for host, lines in step.lines.items():
                indent = "     "
                if len(step.lines) > 1:
                    out.append(f"     on {host}:")
                    indent = "       "
                out.extend(f"{indent}{line}" for text in lines for line in text.splitlines())
        return "\n".join(out) + "\n"
