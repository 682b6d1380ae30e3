"""What there is on this machine of a lab, of a cloud, and of processes that this project's programs have started."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab import Lab
from tests.openstack import Cloud

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """A process.

    Attributes:
        pid: Its id.
        words: Its command line.
        age_s: Seconds since its start.
    """

    pid: int
    words: tuple[str, ...]
    age_s: float

    @property
    def line(self) -> str:
        """Its command line, words parted by spaces."""
        return " ".join(self.words)


def everything() -> list[str]:
    """What is left; one sentence each, and none where all is gone."""
    found = [f"lab: {one}" for one in Lab(quiet=True).leftovers()]
    found += [f"cloud: {one}" for one in Cloud(quiet=True).leftovers()]
    return found + [f"process {one.pid}: {one.line[:200]}" for one in ours()]


def ours() -> list[Process]:
    """Processes of this project's virtual environment, but for this one and those that it descends from."""
    programs = {str(Path(sys.prefix, "bin")), sys.prefix}
    ancestors = set(_ancestors(os.getpid()))
    return [
        one
        for one in processes()
        if one.pid not in ancestors and any(word.startswith(tuple(programs)) for word in one.words[:2])
    ]


def processes() -> Iterator[Process]:
    """Every process of this machine."""
    up_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
            began_s = int(_fields(folder)[19]) / _TICKS
        except OSError:
            continue  # It has ended meanwhile.
        yield Process(int(folder.name), tuple(words), up_s - began_s)


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        pid = int(_fields(Path(f"/proc/{pid}"))[1])


def _fields(folder: Path) -> list[str]:
    """Those of `stat` from the third on: behind the name, which may hold anything."""
    return (folder / "stat").read_text().rpartition(")")[2].split()
