"""Whether the newest verified backup of each kind is as new as the site wants it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tasks.backup.catalogue import StoredSet

_HOUR = timedelta(hours=1)
# Between the machines on which runs are started.
_CLOCKS_DIFFER = timedelta(minutes=10)


def too_old(sets: Sequence[StoredSet], moment: datetime, max_age: timedelta) -> list[str]:
    """Tell of each kind of backup whose newest verified one is too old, or of which none is verified.

    Args:
        sets: The sets of the catalogue.
        moment: The time (UTC).
        max_age: How old it may be; counted from when the backup was begun.

    Returns:
        A sentence for each.
    """
    sound = [stored for stored in sets if not stored.problem]
    if not sound:
        return ["there is no backup"]
    said = []
    for kind in sorted({kind for stored in sound for kind in stored.kinds}):
        verified = [stored.sealed.started for stored in sound if kind in stored.verified]
        if not verified:
            said.append(f"no {kind} is verified")
            continue
        age = moment - verified[-1]  # the latest in the catalogue: one of a clock that was ahead is not new for ever
        if age < -_CLOCKS_DIFFER:
            said.append(
                f"the newest verified {kind} is of {verified[-1]:%Y-%m-%d %H:%M} UTC, which is to come: a clock is wrong"
            )
        elif age > max_age:
            wanted = f"at most {max_age / _HOUR:.0f} h are wanted"
            said.append(f"the newest verified {kind} is {age / _HOUR:.0f} h old; {wanted}")
    return said
