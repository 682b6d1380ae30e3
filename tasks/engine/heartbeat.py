"""Keeping a run's locks alive, and knowing at any moment whether they are.

Each lock has a thread of its own, so that one that hangs (a Prefect server behind a stalled tunnel, a host that lost
power) can't starve the others. Whether a run may go on is not decided by these threads but by the age of each lock's last
proven sign of life, which `check` looks at from whatever thread is about to change something: a thread that hangs only
makes its lock look old.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from blocks.remote.clock import since_boot
from blocks.remote.errors import RunbookError

_JOIN_S = 5.0


class Kept(Protocol):
    """What a run keeps alive while it lives."""

    @property
    def name(self) -> str:
        """What it is, for the log."""

    def beat(self) -> float:
        """Keep it alive; returns the seconds until it is to be called again.

        It may hang. What goes wrong it remembers for `check`, or raises, to be called again soon.
        """

    def check(self) -> None:
        """Raise unless it is proven to be alive; cheap, from any thread.

        Raises:
            RunbookError: It is not, or nobody knows.
        """


class Renewal:
    """Something that ends by itself on a host unless it is renewed, such as the timer of a cleanup.

    Args:
        name: What it is.
        renew: Renews it.
        every_s: Seconds between two renewals.
        within_s: How old the last renewal may be; well below what ends it.
    """

    def __init__(self, name: str, renew: Callable[[], None], every_s: float = 20.0, within_s: float = 300.0) -> None:
        self.name = name
        self._renew, self._every_s, self._within_s = renew, every_s, within_s
        self._renewed_at = since_boot()
        self._trouble = ""

    def beat(self) -> float:
        """Renew it (see `Kept`)."""
        asked = since_boot()
        try:
            self._renew()
        except RunbookError as error:
            self._trouble = f": {error.message}"
            return min(self._every_s, 3.0)
        self._renewed_at, self._trouble = asked, ""
        return self._every_s

    def check(self) -> None:
        """Raise where it was not renewed in time (see `Kept`)."""
        age = since_boot() - self._renewed_at
        if age > self._within_s:
            raise RunbookError(
                f"{self.name} was not renewed for {age:.0f} s{self._trouble}",
                "what it undoes may have been undone; start this runbook again: it goes on where it stands",
            )


class Heartbeat:
    """Beats while the run lives.

    Args:
        kept: What is kept alive, each in a thread of its own.
    """

    def __init__(self, kept: Sequence[Kept]) -> None:
        self._kept: list[Kept] = []
        self._beating: dict[int, threading.Lock] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        for each in kept:
            self.keep(each)

    def keep(self, kept: Kept) -> None:
        """Keep something more alive, and check it too."""
        self._kept.append(kept)
        self._beating[id(kept)] = threading.Lock()
        # In the run's context, so that what is said reaches the run's log.
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._run, kept), name=f"heartbeat of {kept.name}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    @contextmanager
    def keeping(self, kept: Sequence[Kept]) -> Iterator[None]:
        """Keep something more alive while the block lasts, each by itself.

        A beat that is under way at the end is waited for, unless it hangs: it would renew what is about to be ended.
        """
        for each in kept:
            self.keep(each)
        try:
            yield
        finally:
            for each in kept:
                self._kept.remove(each)
            for each in kept:
                if self._beating[id(each)].acquire(timeout=_JOIN_S):
                    self._beating[id(each)].release()

    def check(self) -> None:
        """Make sure that everything is proven to be alive; to be called before anything is changed, from any thread.

        Raises:
            RunbookError: Something is not; somebody else may be at work.
        """
        for kept in list(self._kept):
            kept.check()

    def stop(self) -> None:
        """Stop beating; a beat that hangs is not waited for."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _run(self, kept: Kept) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            with self._beating[id(kept)]:
                if kept not in self._kept:
                    return
                wait_s = _beat(kept)


def _beat(kept: Kept) -> float:
    """Keep it alive once; returns the seconds until the next time."""
    try:
        return kept.beat()
    except Exception as error:  # noqa: BLE001 - a heartbeat that dies of what nobody foresaw would be a lost lock
        warn(f"{kept.name}: {type(error).__name__}: {error}")
        return 3.0


def warn(message: str) -> None:
    """Tell the operator, in the run's log where there is one."""
    try:
        get_run_logger().warning("%s", message)
    except MissingContextError:
        logging.getLogger("openstack-runbooks").warning("%s", message)
