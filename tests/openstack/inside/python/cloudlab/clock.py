"""When members are measured: at the same moment of each polling interval, by the clock.

A deployment polls every minute, and half a second by which one poll is later than the other is nothing. Here it would be a
tenth of the interval, and a threshold of 95 % would never be crossed; and where a poll falls close to the border of an
interval of Gnocchi, which begin by the clock, that interval would hold none or two.
"""

import time
from pathlib import Path

SECONDS = int(Path("/etc/polling-seconds").read_text())  # the number comes with the disk
# In the middle of an interval, so that a poll that a busy machine delays is still within it.
_AT_S = SECONDS / 2
# A poll asks Keystone and Nova first, and that takes the longer, the busier the machine is.
_BEFORE_S = 1.2


def until_measuring() -> float:
    """Returns the seconds until members are measured next."""
    return (_AT_S - time.time()) % SECONDS


def wait_to_begin() -> None:
    """Waits until a poll that begins now comes to its measuring just in time."""
    time.sleep((until_measuring() - _BEFORE_S) % SECONDS)


def wait_to_measure() -> None:
    """Waits for the moment of measuring, where it is to come within this poll; one that is late does not wait."""
    left = until_measuring()
    if left <= _BEFORE_S:
        time.sleep(left)
