"""The old file that was kept beside the one whose interval was changed: found, read, and judged whether it may be put back.

Only what bears a stamp of this runbook is taken for its own, and nothing that somebody has written since is lost.
"""

from __future__ import annotations

import re
from dataclasses import replace

from blocks.remote.command import script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.telemetry.polling import (
    PollingFile,
    backup_path,
    find_source,
    is_broken,
    read_first_existing,
    with_interval,
)

# As `tasks.engine.journal.Journal.stamp` writes it.
_STAMP = re.compile(r"\d{8}T\d{6}Z")


def broken_path(path: str, stamp: str) -> str:
    """Where a broken file is kept when the old one is put back in its place."""
    return f"{path}.broken-{stamp}"


def read_stamps(shell: Shell, path: str) -> list[str]:
    """List the stamps of the files that this runbook has kept, the oldest first; others' copies beside them are not ours.

    Nor is a link: it leads to the file that was changed.
    """
    look = """for f in "$1".before-*; do [ ! -f "$f" ] || [ -L "$f" ] || printf "%s\\n" "${f#"$1".before-}"; done"""
    return sorted(
        filter(_STAMP.fullmatch, shell.run(script(look, path, quiet=True, changes=False)).stdout.splitlines())
    )


def read_backup(shell: Shell, path: str, stamp: str) -> PollingFile | None:
    """Read what was kept under a stamp, as the file that it was; None where nothing was."""
    found = read_first_existing(shell, (backup_path(path, stamp),))
    return replace(found, path=path) if found is not None else None


def same_but_interval(backup: PollingFile, other: PollingFile) -> bool:
    """Whether two files differ in nothing but the interval of the source that polls CPU."""
    try:
        return with_interval(replace(other, text=backup.text), find_source(other).interval_s) == other.text
    except HostError:
        return False


def may_replace(file: PollingFile, backup: PollingFile) -> bool:
    """Whether the kept file may be put back: what somebody has written since would be lost, unless it is broken."""
    return same_but_interval(backup, file) or (is_broken(file) and not is_broken(backup))
