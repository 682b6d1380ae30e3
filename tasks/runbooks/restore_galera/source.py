"""What a restore is made from, as preflight sees it: the documented files, or a backup on the site's store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.database import dump_contents
from tasks.database.data_directory import DataDirectory
from tasks.database.dump_parts import Parts
from tasks.database.grants import Grants
from tasks.engine.checks import Check
from tasks.runbooks.restore_galera.fetched_backup import FetchedBackup
from tasks.runbooks.restore_galera.new_data import NewData
from tasks.runbooks.restore_galera.state import Contents

# Host → its data directory; whether what is there now makes room.
CheckSpace = Callable[[Mapping[str, DataDirectory], bool], list[Check]]


def _unknown(_: Mapping[str, DataDirectory], __: bool) -> list[Check]:
    """Nobody knows how much room it needs; why is a check already."""
    return []


@dataclass(frozen=True)
class Source:
    """What is restored.

    Attributes:
        fingerprints: What tells it from anything else.
        holds: What is in it; None where it was not read.
        grants: What its grants hold; None where they can't be read.
        parts: What of a dump is loaded side by side.
        new_data: The backup, of which the new data is made beside the old; None where dump and grants are loaded in the
            documented order.
        fetched: The backup that is loaded in the documented order; None for another source.
        check_space: Looks whether the hosts have the room.
    """

    fingerprints: Contents
    holds: dump_contents.Contents | None = None
    grants: Grants | None = None
    parts: Parts | None = None
    new_data: NewData | None = None
    fetched: FetchedBackup | None = None
    check_space: CheckSpace = _unknown
