"""Waiting: a subject, a deadline on a clock, and the last thing seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from tenacity import RetryCallState, Retrying, stop_before_delay, wait_exponential, wait_fixed

from blocks.remote.errors import WaitExpired

# What is waited for has often come by the first look, or comes just after.
_SOON_S = 0.1


def wait_until(
    host: str,
    subject: str,
    wanted: str,
    look: Callable[[], str],
    within_s: float,
    every_s: float = 0.5,
    satisfied: Callable[[str], bool] | None = None,
    hint: str = "",
    steady: bool = False,
) -> str:
    """Look again and again until what is seen is what is wanted.

    Args:
        host: Where; named in the error.
        subject: What is looked at (`wsrep_local_state_comment`).
        wanted: What it should become (`Synced`).
        look: Reads it once. What it raises is not caught: a wait is no retry of a broken connection.
        within_s: Seconds until it gives up.
        every_s: Seconds between two looks; the first ones follow each other more quickly.
        satisfied: Whether a value will do; equality with `wanted` by default.
        hint: What the operator does when it never comes.
        steady: Whether the first looks keep the pace, too: where a look costs something.

    Returns:
        What was seen last, the value that satisfied.

    Raises:
        WaitExpired: `controller-1: wsrep_local_state_comment never became 'Synced' within 30:00 min; last seen
            'Joining', for 29:10 min`.
    """
    good = satisfied or (lambda seen: seen == wanted)
    started = monotonic()
    last, since = "", started

    def once() -> str:
        nonlocal last, since
        seen = look()
        if seen != last:
            last, since = seen, monotonic()
        return seen

    def give_up(_: RetryCallState) -> str:
        raise WaitExpired(
            host,
            f"{subject} never became {wanted!r} within {_minutes(within_s)}; "
            f"last seen {last!r}, for {_minutes(monotonic() - since)}",
            hint,
        )

    retrying = Retrying(
        retry=lambda state: not _answered(state, good),
        wait=wait_fixed(every_s) if steady else wait_exponential(multiplier=_SOON_S, max=every_s),
        stop=stop_before_delay(within_s),
        retry_error_callback=give_up,
    )
    return str(retrying(once))


def _answered(state: RetryCallState, good: Callable[[str], bool]) -> bool:
    """Whether the look raised (then it is passed on) or saw what is wanted."""
    outcome = state.outcome
    return outcome is None or outcome.failed or good(outcome.result())


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(timedelta(seconds=max(0.0, seconds)).total_seconds()), 60)
    return f"{minutes}:{rest:02d} min"
