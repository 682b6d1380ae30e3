"""One run of a runbook on a site: its checks, its journal, its steps, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

from prefect.futures import wait
from prefect.logging import get_run_logger

from blocks.remote.cloud import Cloud
from blocks.remote.command import Command
from blocks.remote.connection import Action, Connection
from blocks.remote.errors import Refused, RunbookError, WaitExpired
from blocks.remote.secrets import mask
from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.engine.change import Change, ChangeFor, change_for
from tasks.engine.checks import Check
from tasks.engine.cleanup import Cleanup, armed, clean_up
from tasks.engine.heartbeat import Heartbeat
from tasks.engine.journal import Journal, Outcome, Record
from tasks.engine.journals import JournalKeeper, keeper
from tasks.engine.plan import Plan
from tasks.engine.questions import Questions
from tasks.engine.results import Results
from tasks.engine.step import StepFailed, step_task
from tasks.engine.steps import Fence

T = TypeVar("T")


@dataclass(frozen=True)
class TakeUp:
    """Where a run takes up the work.

    Attributes:
        journal: A new one, or that of the run that this one goes on with.
        settled: The steps that need not be taken again.
        supersedes: An earlier run that counts as ended from now on; what it kept stays known.
    """

    journal: Journal
    settled: Sequence[str] = ()
    supersedes: Journal | None = None


@dataclass
class Run:
    """One run of one runbook on one site; a `tasks.engine.steps.Steps` that performs them.

    Attributes:
        name: The runbook's name.
        site: Where.
        shells: What it works on, by the inventory's names; the first host keeps the journal. None where it works on the
            cloud's API alone.
        dry_run: Whether nothing may change.
        journal: What was done; replaced by an earlier run's when this one goes on with it.
        cloud: The site's cloud; None where the site file names none.
        checks: What preflight has looked at; those that are not ok speak against beginning.
        facts: Sentences for the report.
        plan: The plan as text, once it was made.
        heartbeat: What keeps the locks alive; None where none are taken.
        resources: Closed at the run's end in reverse order, before the locks are let go.
    """

    name: str
    site: Site
    shells: dict[str, Shell]
    dry_run: bool
    journal: Journal
    cloud: Cloud | None = None
    checks: list[Check] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    plan: str = ""
    heartbeat: Heartbeat | None = None
    resources: ExitStack = field(default_factory=ExitStack)
    _beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "journal"))
    _unread: list[tuple[Connection, Action[Any]]] = field(default_factory=list)
    _earlier: frozenset[str] = frozenset()

    @property
    def hosts(self) -> list[Shell]:
        """The hosts that it works on, in the inventory's order."""
        return list(self.shells.values())

    @property
    def first(self) -> Shell:
        """The first host, which keeps the journal."""
        return self.hosts[0]

    def hosts_with(self, role: str) -> list[Shell]:
        """Those of its hosts that are in a group of the inventory, in the inventory's order.

        Raises:
            UnknownTarget: The site has no such group.
        """
        return [self.shells[host.name] for host in self.site.hosts_with(role) if host.name in self.shells]

    @cached_property
    def journals(self) -> JournalKeeper:
        """Where the journal is kept."""
        return keeper(self.name, self.site.site, self.first if self.shells else None)

    # -- before the first change

    def everywhere(self, what: str, look: Callable[[Shell], T], hosts: Sequence[Shell] | None = None) -> dict[str, T]:
        """Read something on several hosts at once.

        Args:
            what: The name of the check that a host becomes which fails; it is left out of the answer.
            look: Reads it on one host.
            hosts: Which of the run's; None for all.
        """
        on = self.hosts if hosts is None else hosts
        with Questions(self.checks, at_once=len(on)) as questions:
            answers = {shell.name: questions.ask(what, partial(look, shell)) for shell in on}
        return {name: answer.value for name, answer in answers.items() if answer.there}

    @property
    def reasons(self) -> list[str]:
        """What speaks against beginning, each once."""
        return list(dict.fromkeys(str(check) for check in self.checks if not check.ok))

    def refuse_if_any(self) -> None:
        """End preflight.

        Raises:
            Refused: With every reason.
        """
        if reasons := self.reasons:
            raise Refused(self.name, reasons)

    def show_plan(self, plan: Plan) -> None:
        """Write the plan to the run's log, and keep it for a dry run's report."""
        self.plan = plan.text()
        get_run_logger().info("the plan:\n%s", self.plan)

    def begin(self, at: TakeUp, run_id: str) -> None:
        """Begin to keep the journal, perhaps that of an earlier run.

        Args:
            at: Where the work is taken up.
            run_id: Prefect's id of this flow run.
        """
        if at.supersedes is not None:
            self.journals.close(at.supersedes)
        self._earlier = frozenset(at.settled)
        self.journal = at.journal
        self.journal.run_id = run_id
        self.journal.records, self.journal.settled = [], list(at.settled)

    def report_finding(self, finding: str) -> None:
        """Tell the operator something, in the log at once and in the report."""
        if finding not in self.journal.findings:
            get_run_logger().warning("%s", mask(finding))
            self.journal.findings.append(finding)

    # -- the steps

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
        """Take one documented step (see `tasks.engine.steps.Steps.step`).

        Raises:
            StepFailed: On the first host that failed, in the order of the hosts; the others have been waited for.
        """
        if number in self._earlier and not always:
            self._note(number, sentence, on, "earlier")
            self._return_results(number, results)
            return
        recorded = self._begin_step(number, raises)
        changes = [(connection, change_for(do, connection)) for connection in on]
        try:
            self._perform(number, sentence, changes, one_at_a_time, recorded, results)
        finally:
            self._unread += [(connection, action) for connection, change in changes for action in change.commands]
        recorded()
        self._end_step(number, lifts, results)

    def _perform(
        self,
        number: str,
        sentence: str,
        changes: Sequence[tuple[Connection, Change[Any]]],
        one_at_a_time: bool,
        recorded: Callable[[], None],
        results: Results[Any] | None,
    ) -> None:
        def permit() -> None:
            recorded()
            if self.heartbeat is not None:
                self.heartbeat.check()

        tasks = [(place, step_task(number, sentence, place, change, permit, results)) for place, change in changes]
        if one_at_a_time or len(tasks) == 1:
            for place, task in tasks:
                self._record(_outcome(number, sentence, place.name, task))
            return
        futures = [(place, task.submit()) for place, task in tasks]
        wait([future for _, future in futures])
        for place, future in futures:
            self._record(_outcome(number, sentence, place.name, future.result))

    def _begin_step(self, number: str, raises: Fence | None) -> Callable[[], None]:
        """Put it on record, with all that came before, and let go of the long commands whose end is now on record.

        That goes on while the hosts are looked at.

        Returns:
            What waits until it is on record, before the first change; raises a RunbookError where that can't be.
        """
        if self.heartbeat is not None:
            self.heartbeat.check()
        self.journal.begun = number
        if raises is not None:
            self.journal.in_force[raises.key] = raises.sentence
        entry, read, self._unread = self.journal.model_copy(deep=True), self._unread, []

        def write() -> None:
            self.journals.write(entry)
            for connection, action in read:
                action.forget(connection)

        writing = self._beside.submit(write)

        def recorded() -> None:
            try:
                writing.result()
            except RunbookError as error:  # a lost connection, too, is not to be tried again by the step
                raise RunbookError(f"the journal can't be kept: {error.message}", error.hint) from error

        return recorded

    def _record(self, record: Record) -> None:
        self.journal.records.append(record)
        for finding in record.findings:
            self.report_finding(f"{record.host}: {finding}")
        if record.result is not None:
            self.journal.results.setdefault(record.number, {})[record.host] = record.result

    def _end_step(self, number: str, lifts: Fence | None, results: Results[Any] | None) -> None:
        if lifts is not None:
            self.journal.in_force.pop(lifts.key, None)
        self.journal.settled.append(number)
        self._return_results(number, results)

    def _return_results(self, number: str, results: Results[Any] | None) -> None:
        if results is not None:
            results.load(self.journal.results.get(number, {}))

    def _note(self, number: str, sentence: str, on: Sequence[Connection], outcome: Outcome, note: str = "") -> None:
        self.journal.records += [
            Record(number=number, sentence=sentence, host=place.name, outcome=outcome, note=note) for place in on
        ]
        self.journal.settled.append(number)

    def record_answer(self, number: str, sentence: str, on: Connection, command: Command | str, answer: str) -> None:
        """Note a question that preflight asked, and its answer."""
        self._note(number, sentence, [on], "answered", mask(answer))

    def skip(self, number: str, sentence: str, why: str) -> None:
        """Note a documented step that is left out."""
        self.journal.records.append(Record(number=number, sentence=sentence, host="", outcome="left out", note=why))

    def fall_back(self, first: Callable[[], None], instead: Callable[[], None], why: str) -> None:
        """Take some steps; where a wait in them expires, tell it and take others instead."""
        try:
            first()
        except StepFailed as failure:
            if not isinstance(failure.__cause__, WaitExpired):
                raise
            self.report_finding(f"{why}: {failure.message}")
            instead()

    @contextmanager
    def cleanup(self, cleanup: Cleanup) -> Iterator[None]:
        """Clean up at the end of the block; see `tasks.engine.cleanup` for who else does.

        Raises:
            RunbookError: It could not be armed, before the block; it is still due on some host, after the block.
        """
        due = [*(other for other in self.journal.cleanups if other.key != cleanup.key), cleanup]
        self._keep_cleanups(due)

        def clean() -> list[str]:
            return clean_up([cleanup], self.shells, lambda left: self._keep_cleanups([*due[:-1], *left]))

        try:
            with armed(cleanup, self.shells, self.site.cleanup_after_s, self.heartbeat):
                yield
        except BaseException:
            for error in clean():  # what went wrong first is what is raised
                self.report_finding(error)
            raise
        errors = clean()
        if errors:
            raise RunbookError("; ".join(errors), f"each host does it by itself within {self.site.cleanup_after_s} s")

    def _keep_cleanups(self, cleanups: list[Cleanup]) -> None:
        self.journal.cleanups = cleanups
        self.journals.write(self.journal)

    def finish(self) -> None:
        """Close the journal: the procedure has reached its end."""
        while self._unread:
            connection, action = self._unread.pop()
            action.forget(connection)
        self.journal.in_force.clear()
        self.journals.close(self.journal)

    def close(self) -> None:
        """Let go of everything. What is still written is not waited for: closing the connections ends what hangs."""
        self._beside.shutdown(wait=False)
        for shell in self.shells.values():
            shell.close()
        if self.cloud is not None:
            self.cloud.close()


def _outcome(number: str, sentence: str, place: str, perform: Callable[[], Record]) -> Record:
    """Call a task, or a future's result, and say which step and place a failure belongs to."""
    try:
        return perform()
    except Exception as error:
        raise StepFailed(number, sentence, place, error) from error
