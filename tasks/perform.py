"""Performing one change on one host, as a Prefect task that looks first, retries what is safe, and streams its output."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.tasks import Task, exponential_backoff

from blocks.remote.command import Command
from blocks.remote.errors import CommandTimedOut, ConnectionLost, RunbookError, Unreachable
from blocks.remote.secrets import install_mask
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand, run_long, unit_state
from tasks.change import Change
from tasks.journal import Outcome, Record

# Nothing happened, or looking again and running again is safe: every change must bear that.
_RETRYABLE = (ConnectionLost, Unreachable, CommandTimedOut)
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
        said = cause.message if isinstance(cause, RunbookError) else f"{type(cause).__name__}: {cause}"
        super().__init__(f"step {number} ({sentence}) failed on {host}: {said}", hint)


def may_retry(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Prefect's question after a failure: only a lost connection or an ended command is tried again."""
    return isinstance(state.result(raise_on_failure=False), _RETRYABLE)


def step_task(number: str, sentence: str, shell: Shell, change: Change) -> Task[[], Record]:
    """Make the Prefect task of one step on one host.

    Args:
        number: The document's number.
        sentence: What the step does.
        shell: The host.
        change: What is done there.
    """

    def perform() -> Record:
        install_mask()
        logger = get_run_logger()
        logger.info("step %s on %s: %s", number, shell.name, sentence)
        started = monotonic()
        outcome = apply_change(shell, change, lambda line: logger.info("%s: %s", shell.name, line))
        return Record(
            number=number,
            sentence=sentence,
            host=shell.name,
            outcome=outcome,
            seconds=round(monotonic() - started, 2),
            findings=tuple(change.tells(shell)) if change.tells else (),
        )

    return Task(
        perform,
        name=f"{number} {sentence}",
        task_run_name=f"{number} {shell.name}",
        retries=_RETRIES,
        retry_delay_seconds=exponential_backoff(backoff_factor=2),
        retry_jitter_factor=0.5,
        retry_condition_fn=may_retry,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def apply_change(shell: Shell, change: Change, on_line: Callable[[str], None]) -> Outcome:
    """Look, run what there is to run, wait for what must follow.

    Returns:
        `already` where nothing was to do, `attached` where a long command of an earlier run was found, else `done`.
    """
    outcome: Outcome = "done"
    if change.already is not None and not _unread(shell, change) and change.already(shell):
        outcome = "already"
    else:
        for command in change.commands:
            if isinstance(command, Command):
                shell.run(command, on_line)
            elif run_long(shell, command, on_line) == "attached":
                outcome = "attached"
    if change.until is not None:
        change.until.on(shell)
    return outcome


def _unread(shell: Shell, change: Change) -> bool:
    """Whether a long command of an earlier run is there still: its end is read before anything is taken for done."""
    return any(isinstance(one, LongCommand) and unit_state(shell, one).loaded for one in change.commands)
