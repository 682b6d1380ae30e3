"""Answers of the cloud that are kept for a while, since they can't have changed, or not in a way that matters."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Sparing(Generic[T]):
    """Keeps one answer.

    Args:
        lasts_s: Seconds for which it holds.
    """

    def __init__(self, lasts_s: float) -> None:
        self._lasts_s = lasts_s
        self._kept: tuple[float, T] | None = None

    def get(self, read: Callable[[], T], *, anew: bool = False) -> T:
        """The kept answer, or a new one.

        Args:
            read: Asks for it.
            anew: Whether something has happened, after which the kept one no longer holds.
        """
        now = time.monotonic()
        if anew or self._kept is None or now - self._kept[0] >= self._lasts_s:
            self._kept = (now, read())
        return self._kept[1]
