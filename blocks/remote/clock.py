"""A clock for what is measured against a host's: it goes on while this machine is suspended."""

import time


def since_boot() -> float:
    """Return seconds that only ever grow, the time in which this machine slept included where it can tell (Linux).

    `time.monotonic` stands still in a suspended laptop, to which a lock that ended meanwhile would look fresh.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.monotonic()
