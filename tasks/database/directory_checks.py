"""Whether the data directories can be moved aside, and have room for a second one beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tasks.database.data_directory import DataDirectory
from tasks.database.dumps import File
from tasks.engine.checks import Check

# What mysql_install_db, the logs and the write-set cache need beside the data itself.
_FLOOR_BYTES = 512 * 1024**2
# InnoDB's pages and indexes against the text of a dump.
PER_DUMP_BYTE = 2.5


@dataclass(frozen=True)
class Needs:
    """How much room new data takes.

    Attributes:
        data_bytes: The data itself, on every host; about.
        files_bytes: What it is loaded from, on the first host.
    """

    data_bytes: int
    files_bytes: int


def needs_of_dump(dump: File) -> Needs:
    """How much room a dump takes that is copied and loaded."""
    size = max(dump.size, 0)
    return Needs(int(size * PER_DUMP_BYTE), size)


def check_mount(host: str, path: str, directory: DataDirectory) -> Check:
    """The data directory can be moved aside.

    Args:
        host: Whose it is.
        path: Where it is.
        directory: What the host says of it.
    """
    name = "data directory"
    if not directory.mount_point:
        return Check(name, host, f"{path} is no mount point")
    reason = f"{path} is a mount point, which can't be moved aside"
    return Check(name, host, "a mount point", reason, "this runbook needs it to be a plain directory")


def check_space(directories: Mapping[str, DataDirectory], needs: Needs, again: bool) -> list[Check]:
    """A second data directory fits beside the first, on every host.

    Args:
        directories: Host → its data directory; the first host comes first.
        needs: How much it takes.
        again: Whether what is there now makes room, since the old data is kept already.
    """
    checks = []
    for number, (host, directory) in enumerate(directories.items()):
        need = needs.data_bytes + _FLOOR_BYTES + (0 if number else needs.files_bytes)
        seen = f"{_mib(directory.free_bytes)} free beside the data directory, about {_mib(need)} needed"
        fits = directory.free_bytes + (directory.used_bytes if again else 0) >= need
        reason = "" if fits else f"{seen} for a second one (the old data is kept)"
        checks.append(Check("space", host, seen, reason, "" if fits else "make room first"))
    return checks


def check_room(host: str, path: str, directory: DataDirectory, needs: Needs, again: bool) -> list[Check]:
    """The old data can be kept, and the new data be made, on one host; a mount point keeps its old data as a copy.

    Args:
        host: Whose it is.
        path: Where the data directory is.
        directory: What the host says of it.
        needs: How much the new data takes.
        again: Whether what is there now makes room, since the old data is kept already.
    """
    if not directory.mount_point:
        return check_space({host: directory}, needs, again)
    within = replace(directory, free_bytes=directory.free_within_bytes)
    checks = check_space({host: within}, needs, again=True)
    if again:
        return checks
    seen = f"{_mib(directory.free_bytes)} free beside {path}, {_mib(directory.used_bytes)} needed for the copy of the old data"
    fits = directory.free_bytes >= directory.used_bytes + _FLOOR_BYTES
    reason = "" if fits else f"{seen} ({path} is a mount point, which can't be moved)"
    return [*checks, Check("space", host, seen, reason, "" if fits else "make room first")]


def _mib(size: int) -> str:
    return f"{size / 1024**2:,.0f} MiB"
