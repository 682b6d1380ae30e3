"""Patience with a cloud that fails for a moment while it is watched: a service restarts, a balancer loses a connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from blocks.remote.cloud_errors import CloudUnreachable, ServiceFailed
from blocks.remote.connection import Watch

T = TypeVar("T")


@dataclass
class OutageTolerance:
    """Bears that a look fails, until that has lasted too long.

    Attributes:
        limit_s: Seconds for which a cloud may fail without a break.
    """

    limit_s: float
    _failing_since: float | None = None

    def call(self, read: Callable[[], T], watch: Watch) -> T | None:
        """Look once.

        Args:
            read: Looks.
            watch: Told of a failure that is borne.

        Returns:
            What it returns; None where the cloud failed, which is to be asked again.

        Raises:
            ServiceFailed: The cloud has failed for longer than `limit_s`. Not what it was: a step that were tried again would
                begin with the load anew.
        """
        try:
            answer = read()
        except (CloudUnreachable, ServiceFailed) as error:
            now = time.monotonic()
            self._failing_since = now if self._failing_since is None else self._failing_since
            if now - self._failing_since > self.limit_s:
                said = f"has failed for {now - self._failing_since:.0f} s: {error.message}"
                raise ServiceFailed(error.host, said, error.hint, error.status) from error
            watch.line(f"{error.message}; it is asked again")
            return None
        self._failing_since = None
        return answer
