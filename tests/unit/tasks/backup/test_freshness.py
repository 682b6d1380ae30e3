"""The newest verified backup of each kind, and its age."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tasks.backup.backup_set import SetName
from tasks.backup.catalogue import SealedSet, StoredSet
from tasks.backup.freshness import too_old
from tasks.backup.manifest import Kind, sha256_of
from tests.unit.tasks.backup.samples import LOGICAL, PHYSICAL, START, name_of, verification

DAY = timedelta(days=1)


def stored(number: int, *kinds: Kind, verified: bool = True) -> StoredSet:
    name: SetName = name_of(number)
    sealed = SealedSet(
        set_id=str(name), manifest_sha256=sha256_of(""), started=START + number * DAY, size_bytes=1, kinds=kinds
    )
    records = tuple(verification(number, method=kind.method) for kind in kinds) if verified else ()
    return StoredSet(name, number + 2, sealed, records)


def test_a_new_one_of_each_kind_is_well() -> None:
    sets = [stored(0, LOGICAL), stored(1, LOGICAL, PHYSICAL), stored(2, LOGICAL, verified=False)]
    assert too_old(sets, START + 2 * DAY, DAY) == []


def test_each_kind_is_looked_at_by_itself() -> None:
    sets = [stored(0, LOGICAL), stored(3, PHYSICAL)]
    assert too_old(sets, START + 3 * DAY, DAY) == [
        f"the newest verified {LOGICAL} is 72 h old; at most 24 h are wanted"
    ]


def test_one_that_is_new_and_not_verified_is_none() -> None:
    assert too_old([stored(0, LOGICAL, verified=False)], START, DAY) == [f"no {LOGICAL} is verified"]


def test_a_damaged_one_is_none() -> None:
    assert too_old([replace(stored(0, LOGICAL), problem="its manifest is missing")], START, DAY) == [
        "there is no backup"
    ]


def test_one_of_a_clock_that_was_ahead_is_told_and_is_not_new_for_ever() -> None:
    ahead = stored(3650, LOGICAL)
    assert "which is to come: a clock is wrong" in too_old([ahead], START, DAY)[0]
    assert too_old([ahead, stored(0, LOGICAL)], START + 2 * DAY, DAY) == [
        f"the newest verified {LOGICAL} is 48 h old; at most 24 h are wanted"
    ]
