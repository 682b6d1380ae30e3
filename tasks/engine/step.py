"""Performing one change on one host, as a Prefect task that looks first, retries what is safe, and streams its output."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.tasks import Task, exponential_backoff

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CloudUnreachable
from blocks.remote.command import Command
from blocks.remote.errors import CommandTimedOut, ConnectionLost, RunbookError, Unreachable
from blocks.remote.secrets import install_mask
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand, run_long, unit_state
from tasks.engine.change import Call, Change, P, Place, Watch
from tasks.engine.journal import Outcome, Record

T = TypeVar("T")

# Nothing happened, or looking again and running again is safe: every change must bear that.
_RETRYABLE = (ConnectionLost, Unreachable, CommandTimedOut, CloudUnreachable)
_RETRIES = 3


def _nothing() -> None:
    """What stands in the way of a change that nobody keeps a journal of."""


class StepFailed(RunbookError):
    """A step failed on a host.

    Args:
        number: The document's number.
        sentence: What the step does.
        host: Where it failed.
        cause: Why.
    """

    def __init__(self, number: str, sentence: str, host: str, cause: BaseException) -> None:
        self.number, self.host = number, host
        hint = cause.hint if isinstance(cause, RunbookError) else ""
        said = cause.message if isinstance(cause, RunbookError) else f"{type(cause).__name__}: {cause}"
        super().__init__(f"step {number} ({sentence}) failed on {host}: {said}", hint)


def may_retry(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Prefect's question after a failure: only a lost connection or an ended command is tried again."""
    return isinstance(state.result(raise_on_failure=False), _RETRYABLE)


def step_task(
    number: str, sentence: str, place: Place, change: Change[Any], permit: Callable[[], None] = _nothing
) -> Task[[], Record]:
    """Make the Prefect task of one step in one place.

    Args:
        number: The document's number.
        sentence: What the step does.
        place: The host, or the cloud.
        change: What is done there.
        permit: Called between the look and the first command; raises where nothing may be changed.
    """

    def perform() -> Record:
        install_mask()
        logger = get_run_logger()
        logger.info("step %s on %s: %s", number, place.name, sentence)
        started = monotonic()
        watch = Watch(lambda line: logger.info("%s: %s", place.name, line), Progress(f"{number} {sentence}"))
        outcome = apply_change(place, change, watch, permit)
        return Record(
            number=number,
            sentence=sentence,
            host=place.name,
            outcome=outcome,
            seconds=round(monotonic() - started, 2),
            findings=tuple(change.tells(place)) if change.tells else (),
        )

    return Task(
        perform,
        name=f"{number} {sentence}",
        task_run_name=f"{number} {place.name}",
        retries=_RETRIES,
        retry_delay_seconds=exponential_backoff(backoff_factor=2),
        retry_jitter_factor=0.5,
        retry_condition_fn=may_retry,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def preflight_task(look: Callable[[], T]) -> T:
    """Look at everything before the first change, as one Prefect task.

    Args:
        look: Looks; what it raises is raised.
    """
    task = Task(look, name="preflight", task_run_name="preflight", cache_policy=NO_CACHE, persist_result=False)
    return task()


def apply_change(place: P, change: Change[P], watch: Watch, permit: Callable[[], None] = _nothing) -> Outcome:
    """Look, run what there is to run, wait for what must follow.

    Args:
        place: Where.
        change: What is done.
        watch: Who watches.
        permit: Called between the look and the first command.

    Returns:
        `already` where nothing was to do, `attached` where a long command of an earlier run was found, else `done`.
    """
    outcome: Outcome = "done"
    if change.already is not None and not _unread(place, change) and change.already(place):
        outcome = "already"
    else:
        if change.commands:
            permit()
        for command in change.commands:
            did = _perform(place, command, watch)
            outcome = outcome if did == "done" else did
    if change.until is not None:
        change.until.on(place)
    return outcome


def _perform(place: Place, command: Command | LongCommand | Call, watch: Watch) -> Outcome:
    if isinstance(command, Call):
        assert isinstance(place, Cloud), "a call is made to a cloud"
        return command.do(place, watch)
    assert isinstance(place, Shell), "a command is run on a host"
    if isinstance(command, Command):
        place.run(command, watch.line)
        return "done"
    return "attached" if run_long(place, command, watch.line, watch.progress) == "attached" else "done"


def _unread(place: Place, change: Change[Any]) -> bool:
    """Whether a long command of an earlier run is there still: its end is read before anything is taken for done."""
    if not isinstance(place, Shell):
        return False
    return any(isinstance(one, LongCommand) and unit_state(place, one).loaded for one in change.commands)


class Progress:
    """Shows a percentage as an artifact of the run, made when the first one comes.

    Args:
        description: What makes progress.
    """

    def __init__(self, description: str) -> None:
        self._description = description
        self._artifact: UUID | None = None
        self._shown = -1.0

    def __call__(self, percent: float) -> None:
        """Show it, unless it would look the same."""
        percent = min(100.0, max(0.0, round(percent)))
        if percent == self._shown:
            return
        self._shown = percent
        if self._artifact is None:
            made = create_progress_artifact(percent, description=self._description)
            assert isinstance(made, UUID)
            self._artifact = made
        else:
            update_progress_artifact(self._artifact, percent)
