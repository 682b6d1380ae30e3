"""Performing one change through one connection: a Prefect task that looks first, retries what is safe, streams its output."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.tasks import Task, exponential_backoff

from blocks.remote.connection import Connection, Watch
from blocks.remote.errors import RunbookError
from blocks.remote.secrets import install_mask
from tasks.engine.change import C, Change
from tasks.engine.journal import Outcome, Record
from tasks.engine.progress import Progress
from tasks.engine.results import Results

_RETRIES = 3


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
        reason = cause.message if isinstance(cause, RunbookError) else f"{type(cause).__name__}: {cause}"
        super().__init__(f"step {number} ({sentence}) failed on {host}: {reason}", hint)


def _unrestricted() -> None:
    """What stands in the way of a change that nobody keeps a journal of."""


def step_task(
    number: str,
    sentence: str,
    connection: Connection,
    change: Change[Any],
    permit: Callable[[], None] = _unrestricted,
    results: Results[Any] | None = None,
) -> Task[[], Record]:
    """Make the Prefect task of one step in one place.

    Args:
        number: The document's number.
        sentence: What the step does.
        connection: The host, or the cloud.
        change: What is done there.
        permit: Called before the first command of every attempt; raises where nothing may be changed.
        results: What the step returns.
    """

    def perform() -> Record:
        install_mask()
        logger = get_run_logger()
        logger.info("step %s on %s: %s", number, connection.name, sentence)
        started = monotonic()
        progress = Progress(f"{number} {sentence}, on {connection.name}")
        watch = Watch(lambda line: logger.info("%s: %s", connection.name, line), progress, progress.phase)
        outcome = apply_change(connection, change, watch, permit)
        return Record(
            number=number,
            sentence=sentence,
            host=connection.name,
            outcome=outcome,
            seconds=round(monotonic() - started, 2),
            findings=tuple(change.findings_after(connection)) if change.findings_after else (),
            result=results.read(connection) if results else None,
        )

    def may_retry(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
        return isinstance(state.result(raise_on_failure=False), connection.retryable)

    return Task(
        perform,
        name=f"{number} {sentence}",
        task_run_name=f"{number} {connection.name}",
        retries=_RETRIES,
        retry_delay_seconds=exponential_backoff(backoff_factor=2),
        retry_jitter_factor=0.5,
        retry_condition_fn=may_retry,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def apply_change(connection: C, change: Change[C], watch: Watch, permit: Callable[[], None] = _unrestricted) -> Outcome:
    """Look, run what there is to run, wait for what must follow.

    Args:
        connection: Where.
        change: What is done.
        watch: Who watches.
        permit: Called between the look and the first command.

    Returns:
        `already` where nothing was to do, `attached` where a long command of an earlier run was found, else `done`.
    """
    outcome: Outcome = "done"
    unread = any(action.has_unread_result(connection) for action in change.commands) if change.already else False
    if change.already is not None and not unread and change.already(connection):
        outcome = "already"
    else:
        if change.commands:
            permit()
        for action in change.commands:
            performed = action.perform(connection, watch)
            outcome = outcome if performed == "done" else performed
    if change.until is not None:
        change.until.on(connection)
    return outcome
