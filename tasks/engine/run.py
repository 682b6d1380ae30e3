"""What every runbook has: the reasons of preflight, a plan, a journal, steps, undos, findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from time import monotonic
from typing import TypeVar

from prefect.futures import wait
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from blocks.remote.cloud import Cloud
from blocks.remote.command import Command
from blocks.remote.errors import Refused, RunbookError
from blocks.remote.secrets import mask
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand, forget
from blocks.site import Host, Site
from tasks.engine.change import Do, Force, Place, Spot, change_for
from tasks.engine.cleanup import GUARD_S, perform_undo, set_guard
from tasks.engine.journal import Journal, JournalKeeper, Outcome, Record, Undo, keeper
from tasks.engine.locks import Heart
from tasks.engine.plan import Plan
from tasks.engine.questions import Questions
from tasks.engine.step import StepFailed, step_task

T = TypeVar("T")


@dataclass
class Runbook:
    """One run of one runbook on one site; a `tasks.engine.change.Steps` that performs them.

    Attributes:
        name: The runbook's name.
        site: Where.
        hosts: What it works on; the first one keeps the journal. None where it works on the cloud's API alone.
        dry_run: Whether nothing may change.
        cloud: The site's cloud; None where the site file names none.
        journal: What was done; replaced by an earlier run's when this one goes on with it.
        reasons: What preflight has against beginning.
        facts: Sentences for the report.
        plan: The plan as text, once it was made.
        heart: What keeps the locks alive; None where none are taken.
    """

    name: str
    site: Site
    hosts: list[Host]
    dry_run: bool
    journal: Journal
    shells: dict[str, Shell]
    cloud: Cloud | None = None
    reasons: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    plan: str = ""
    heart: Heart | None = None
    _beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "journal"))
    _unread: list[tuple[Shell, LongCommand]] = field(default_factory=list)
    _earlier: frozenset[str] = frozenset()

    @property
    def first(self) -> Shell:
        """The shell of the first host, which keeps the journal."""
        return self.shells[self.hosts[0].name]

    @cached_property
    def journals(self) -> JournalKeeper:
        """Where the journal is kept."""
        return keeper(self.name, self.site.site, self.first if self.hosts else None)

    def _place(self, spot: Spot) -> Place:
        if isinstance(spot, Host):
            return self.shells[spot.name]
        assert self.cloud is not None, "the site has the cloud that the step names"
        return self.cloud

    def everywhere(self, look: Callable[[Shell], T]) -> dict[str, T]:
        """Read something on all hosts at once; a host that fails adds its reason and is left out of the answer."""
        with Questions(self.reasons, at_once=len(self.hosts)) as questions:
            answers = {name: questions.ask(partial(look, shell)) for name, shell in self.shells.items()}
        return {name: answer.value for name, answer in answers.items() if answer.there}

    def refuse_if_any(self) -> None:
        """End preflight.

        Raises:
            Refused: With every reason that was collected.
        """
        if self.reasons:
            raise Refused(self.name, self.reasons)

    def show_plan(self, plan: Plan) -> None:
        """Write the plan to the run's log, and keep it for a dry run's report."""
        self.plan = plan.text()
        get_run_logger().info("the plan:\n%s", self.plan)

    def go_on(self, journal: Journal, settled: Sequence[str], supersedes: Journal | None = None) -> None:
        """Take over an earlier run's journal and begin to keep it.

        Args:
            journal: A new one, or that of the run that this one goes on with.
            settled: The steps that need not be taken again.
            supersedes: An earlier run that counts as ended from now on; what it kept stays known.
        """
        if supersedes is not None:
            self.journals.close(supersedes)
        self._earlier = frozenset(settled)
        self.journal = journal
        self.journal.run_id = str(flow_run.id)
        self.journal.records, self.journal.settled = [], list(settled)

    def find(self, finding: str) -> None:
        """Tell the operator something, in the log at once and in the report."""
        get_run_logger().warning("%s", mask(finding))
        if finding not in self.journal.findings:
            self.journal.findings.append(finding)

    # -- the steps

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
        """Take one documented step (see `tasks.engine.change.Steps.step`).

        Raises:
            StepFailed: On the first host that failed, in the order of the hosts; the others have been waited for.
        """
        if number in self._earlier and not always:
            self._note(number, sentence, hosts, "earlier")
            return
        if self.heart is not None:
            self.heart.check()
        recorded = self._begin(number, begins)
        changes = [(self._place(spot), change_for(do, spot)) for spot in hosts]
        tasks = [(place, step_task(number, sentence, place, change, recorded)) for place, change in changes]
        try:
            if one_at_a_time or len(tasks) == 1:
                for place, one in tasks:
                    self._done(_outcome(number, sentence, place.name, one))
            else:
                futures = [(place, one.submit()) for place, one in tasks]
                wait([future for _, future in futures])
                for place, future in futures:
                    self._done(_outcome(number, sentence, place.name, future.result))
        finally:
            self._unread += [
                (place, one)
                for place, change in changes
                for one in change.commands
                if isinstance(one, LongCommand) and isinstance(place, Shell)
            ]
        recorded()
        self._end(number, ends)

    def _begin(self, number: str, begins: Force | None) -> Callable[[], None]:
        """Put it on record, with all that came before, and let go of the long commands whose end is now on record.

        That goes on while the hosts are looked at.

        Returns:
            What waits until it is on record, before the first change; raises a RunbookError where that can't be.
        """
        self.journal.begun = number
        if begins is not None:
            self.journal.in_force[begins.key] = begins.sentence
        entry, read, self._unread = self.journal.model_copy(deep=True), self._unread, []

        def write() -> None:
            self.journals.write(entry)
            for shell, long in read:
                forget(shell, long)

        writing = self._beside.submit(write)

        def recorded() -> None:
            try:
                writing.result()
            except RunbookError as error:  # a lost connection, too, is not to be tried again by the step
                raise RunbookError(f"the journal can't be kept: {error.message}", error.hint) from error

        return recorded

    def _done(self, record: Record) -> None:
        self.journal.records.append(record)
        for finding in record.findings:
            self.find(f"{record.host}: {finding}")

    def _end(self, number: str, ends: Force | None) -> None:
        if ends is not None:
            self.journal.in_force.pop(ends.key, None)
        self.journal.settled.append(number)

    def _note(self, number: str, sentence: str, hosts: Sequence[Spot], outcome: Outcome, note: str = "") -> None:
        self.journal.records += [
            Record(number=number, sentence=sentence, host=host.name, outcome=outcome, note=note) for host in hosts
        ]
        self.journal.settled.append(number)

    def answer(self, number: str, sentence: str, host: Spot, command: Command | str, said: str) -> None:
        """Note a question that preflight asked, and its answer."""
        self._note(number, sentence, [host], "answered", mask(said))

    def skip(self, number: str, sentence: str, why: str) -> None:
        """Note a documented step that is left out."""
        self.journal.records.append(Record(number=number, sentence=sentence, host="", outcome="left out", note=why))

    @contextmanager
    def undone(self, undo: Undo) -> Iterator[None]:
        """Undo at the end of the block; see `tasks.engine.cleanup` for who else does."""
        shell = self.shells[undo.host]
        self.journal.undos = [*(other for other in self.journal.undos if other.key != undo.key), undo]
        self.journals.write(self.journal)
        shell.run(set_guard(undo))
        renewed = monotonic()

        def renew() -> None:
            nonlocal renewed
            if undo in self.journal.undos and monotonic() - renewed > GUARD_S / 5:
                shell.run(set_guard(undo))
                renewed = monotonic()

        if self.heart is not None:
            self.heart.add(renew)
        try:
            yield
        finally:
            perform_undo(shell, undo)
            self.journal.undos = [other for other in self.journal.undos if other != undo]

    def let_go(self) -> None:
        """Wait for nothing that is still written: the shells are closed, which ends what hangs."""
        self._beside.shutdown(wait=False)

    def finish(self) -> None:
        """Close the journal: the procedure has reached its end."""
        while self._unread:
            forget(*self._unread.pop())
        self.journal.in_force.clear()
        self.journals.close(self.journal)


def _outcome(number: str, sentence: str, place: str, perform: Callable[[], Record]) -> Record:
    """Call a task, or a future's result, and say which step and place a failure belongs to."""
    try:
        return perform()
    except Exception as error:
        raise StepFailed(number, sentence, place, error) from error
