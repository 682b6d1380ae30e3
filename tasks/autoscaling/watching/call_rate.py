"""How often the cloud was asked while a check waited: counted where the calls go out, logins and repetitions included."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.remote.cloud_session import CallCount

# What a check may ask of a cloud: no more than once a second, of which the next look takes some five.
_PER_S = 1.0
_CALLS_PER_LOOK = 5
_MIN_SPAN_S = 30.0


@dataclass(frozen=True)
class CallRate:
    """The calls of the time in which a group was watched.

    Attributes:
        total: How many.
        seconds: In how long.
    """

    total: int = 0
    seconds: float = 0.0

    @property
    def per_minute(self) -> float:
        """The mean rate."""
        return self.total * 60 / self.seconds if self.seconds else 0.0

    @property
    def rest_s(self) -> float:
        """Seconds without a call after which one more look keeps the mean within one call a second."""
        return max(0.0, (self.total + _CALLS_PER_LOOK) / _PER_S - self.seconds)

    def plus(self, before: CallCount, after: CallCount) -> CallRate:
        """These and those between two counts."""
        return CallRate(
            self.total + after.total - before.total,
            self.seconds + after.seconds - before.seconds,
        )

    def __str__(self) -> str:
        if not self.seconds:
            return "The cloud was not asked."
        asked = f"While the group was watched the cloud was asked {self.total} times in {self.seconds:.0f} s"
        # Of a check that ended with its first look a rate says nothing.
        return f"{asked}: {self.per_minute:.0f} calls a minute." if self.seconds >= _MIN_SPAN_S else f"{asked}."
