"""Which kind of lab is wanted, and which kind one is: its release, its floor, the size of its databases."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tests.lab.floors import FLOORS, NO_FLOOR
from tests.lab.releases import DEFAULT_RELEASE, release_named
from tests.lab.settings import DEFAULT_SIZE_MB
from tests.lab.shell import LabError

RELEASE_VARIABLE = "LAB_RELEASE"
FLOOR_VARIABLE = "LAB_FLOOR"


@dataclass(frozen=True)
class Kind:
    """The kind of a lab that is up."""

    release: str = DEFAULT_RELEASE
    floor: str = NO_FLOOR
    size_mb: int = DEFAULT_SIZE_MB

    def __str__(self) -> str:
        floor = "" if self.floor == NO_FLOOR else f" with the floor {self.floor}"
        return f"{self.release}{floor}, {self.size_mb} MB of databases"


@dataclass(frozen=True)
class Wanted:
    """What somebody wants of a lab; None takes it as it is, and a new one with the default."""

    release: str | None = None
    floor: str | None = None
    size_mb: int | None = None

    @classmethod
    def asked(cls, release: str | None = None, floor: str | None = None, size_mb: int | None = None) -> Wanted:
        """Returns what was asked for, and for what was not the words of LAB_RELEASE and LAB_FLOOR.

        Raises:
            LabError: There is no such release, or no such floor.
        """
        release = release or os.environ.get(RELEASE_VARIABLE) or None
        floor = floor or os.environ.get(FLOOR_VARIABLE) or None
        if release is not None:
            release_named(release)
        if floor is not None and floor not in FLOORS:
            raise LabError(f"there is no floor {floor!r} for the lab; it has {', '.join(FLOORS)}")
        return cls(release, floor, size_mb)

    def of_new(self) -> Kind:
        """Returns the kind of a lab that is made anew for this."""
        size_mb = DEFAULT_SIZE_MB if self.size_mb is None else self.size_mb
        return Kind(self.release or DEFAULT_RELEASE, self.floor or NO_FLOOR, size_mb)

    def differs_from(self, kind: Kind) -> str:
        """Returns what a lab has that is not what is wanted of it, or an empty string."""
        if self.size_mb not in (None, kind.size_mb):
            return f"it has {kind.size_mb} MB of databases, not {self.size_mb}"
        if self.release not in (None, kind.release):
            return f"its hosts are {kind.release}, not {self.release}"
        if self.floor not in (None, kind.floor):
            return f"its floor is {kind.floor}, not {self.floor}"
        return ""
