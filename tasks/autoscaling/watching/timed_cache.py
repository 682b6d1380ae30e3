"""Answers of the cloud that are kept for a while, since they can't have changed, or not in a way that matters."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class TimedCache(Generic[T]):
    """Keeps one answer.

    Args:
        valid_s: Seconds for which it holds.
    """

    def __init__(self, valid_s: float) -> None:
        self._valid_s = valid_s
        self._cached: tuple[float, T] | None = None

    def get(self, read: Callable[[], T], *, refresh: bool = False) -> T:
        """The kept answer, or a new one.

        Args:
            read: Asks for it.
            refresh: Whether something has happened, after which the kept one no longer holds.
        """
        now = time.monotonic()
        if refresh or self._cached is None or now - self._cached[0] >= self._valid_s:
            self._cached = (now, read())
        return self._cached[1]
