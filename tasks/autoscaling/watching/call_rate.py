"""How often the cloud was asked while a check waited: counted where the calls go out, logins and repetitions included."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.remote.cloud_session import CallCount

# What a check may ask of a cloud: no more than once a second, of which the next look takes some five.
_PER_S = 1.0
_LOOK = 5
_RATE_S = 30.0


@dataclass(frozen=True)
class Asking:
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
        return max(0.0, (self.total + _LOOK) / _PER_S - self.seconds)

    def more(self, before: CallCount, after: CallCount) -> Asking:
        """These and those between two counts."""
        return Asking(
            self.total + after.total - before.total,
            self.seconds + after.seconds - before.seconds,
        )

    def __str__(self) -> str:
        if not self.seconds:
            return "The cloud was not asked."
        asked = f"While the group was watched the cloud was asked {self.total} times in {self.seconds:.0f} s"
        # Of a check that ended with its first look a rate says nothing.
        return f"{asked}: {self.per_minute:.0f} calls a minute." if self.seconds >= _RATE_S else f"{asked}."
