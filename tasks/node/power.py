"""A node's power, virtual media and boot order, by its BMC (BR 4.2 and 4.3, steps 1, 2, 6 and 7).

Each change looks first, and waits for what the BMC then says: what it answers to an order is not believed.
"""

from __future__ import annotations

from collections.abc import Callable

from blocks.remote.bmc import OFF, ON, Bmc
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import WaitExpired
from blocks.remote.waiting import wait_until
from tasks.engine.change import Call, Change, Wait

_CD, _DISK, _EMPTY = "virtual media", "the disk", "empty"
_SEE = "see the BMC's own page and log"


def _call(line: str, do: Callable[[Bmc], None]) -> Call[Bmc]:
    def perform(bmc: Bmc, _: Watch) -> Performed:
        do(bmc)
        return "done"

    return Call(f"Redfish: {line}", perform)


def _power(wanted: str, within_s: float) -> Wait[Bmc]:
    return Wait("power", wanted, Bmc.power, within_s, _SEE, every_s=2)


def power_off(within_s: float) -> Change[Bmc]:
    """Cut the node's power.

    Args:
        within_s: Seconds until it must be off.
    """
    call = _call("Reset ForceOff", Bmc.power_off)
    return Change((call,), already=lambda bmc: bmc.power() == OFF, until=_power(OFF, within_s))


def await_power_off(shutdown_s: float, within_s: float) -> Change[Bmc]:
    """Wait until the node has shut down by itself, and cut its power where it does not.

    Args:
        shutdown_s: Seconds that it gets.
        within_s: Seconds until it must be off then.
    """

    def off_by_itself(bmc: Bmc) -> bool:
        try:
            wait_until(bmc.name, "power", OFF, bmc.power, shutdown_s, 2)
        except WaitExpired:
            return False
        return True

    call = _call(f"Reset ForceOff, where it is not off within {shutdown_s:g} s", Bmc.power_off)
    return Change((call,), already=off_by_itself, until=_power(OFF, within_s))


def power_on(within_s: float) -> Change[Bmc]:
    """Power the node on.

    Args:
        within_s: Seconds until it must be on.
    """
    call = _call("Reset On", Bmc.power_on)
    return Change((call,), already=lambda bmc: bmc.power() == ON, until=_power(ON, within_s))


def insert_iso(url: str, within_s: float) -> Change[Bmc]:
    """Have the ISO in the virtual drive.

    Args:
        url: Where the BMC finds it.
        within_s: Seconds until it must be there.
    """

    def look(bmc: Bmc) -> str:
        image = bmc.image()
        # Some show `host:/path`, or the name alone; of which image an ISO really is, its rescue system says.
        return url if image and _without_scheme(url).endswith(_without_scheme(image)) else image or _EMPTY

    wait = Wait("the virtual drive", url, look, within_s, f"{_SEE}; see whether it reaches {url}", every_s=2)
    call = _call(f"InsertMedia {url}", lambda bmc: bmc.insert(url))
    return Change((call,), already=lambda bmc: bmc.image() == url, until=wait)


def _without_scheme(url: str) -> str:
    return url.rpartition("://")[2].replace(":/", "/", 1)


def eject_iso(within_s: float) -> Change[Bmc]:
    """Have the virtual drive empty.

    Args:
        within_s: Seconds until it must be.
    """

    def look(bmc: Bmc) -> str:
        return bmc.image() or _EMPTY

    wait = Wait("the virtual drive", _EMPTY, look, within_s, f"{_SEE}; eject it there", every_s=2)
    return Change((_call("EjectMedia", Bmc.eject),), already=lambda bmc: not bmc.image(), until=wait)


def boot_from_cd(within_s: float) -> Change[Bmc]:
    """Have the next boot be from the virtual drive. Said even where a BMC says so already: that may be of an earlier boot.

    Args:
        within_s: Seconds until the BMC must say so.
    """

    def look(bmc: Bmc) -> str:
        return _CD if bmc.boots_from_cd() else bmc.boots_from() or "its boot order"

    wait = Wait("the next boot", _CD, look, within_s, f"{_SEE}; set it there for one boot", every_s=2)
    call = _call("BootSourceOverrideTarget Cd, Once", Bmc.boot_from_cd)
    return Change((call,), until=wait)


def boot_from_disk(within_s: float) -> Change[Bmc]:
    """Have every boot be from the disk. Set even where the override was for one boot: some go on with it for ever.

    Args:
        within_s: Seconds until the BMC must say so.
    """

    def look(bmc: Bmc) -> str:
        return _CD if bmc.boots_from_cd() else _DISK

    wait = Wait("the next boot", _DISK, look, within_s, f"{_SEE}; set it there", every_s=2)
    return Change((_call("BootSourceOverrideTarget Hdd, Continuous", Bmc.boot_from_disk),), until=wait)
