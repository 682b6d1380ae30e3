"""Which backup is restored."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.errors import RunbookError
from tasks.backup.choice import choose
from tasks.backup.store import Store
from tests.unit.tasks.backup.samples import LOGICAL, PHYSICAL, make_set, make_store, name_of, verification


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Four nights: two verified, one that differed, one that nobody has verified."""
    made = make_store(tmp_path)
    for number in range(4):
        make_set(made, number)
    for number in (0, 1):
        made.record(name_of(number), verification(number))
    made.record(name_of(2), verification(2, differences=("a row is missing",)))
    return made


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("latest-verified", 1),
        ("before 2026-11-28T01:30", 0),
        ("before 2026-11-28T02:30+01:00", 0),
        ("before 2026-11-28 01:31", 1),
        ("2026-11-27", 0),
        (str(name_of(1)), 1),
    ],
)
def test_what_is_meant(store: Store, wanted: str, number: int) -> None:
    assert choose(store.catalogue(), wanted, [LOGICAL], unverified=False).name == name_of(number)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (
            "before 2026-11-27T01:30",
            "no verified backup of undercloud logical by backup-undercloud from before 2026-11-27 01:30",
        ),
        ("before noon", "names no time"),
        ("2026-11-29", "is not verified"),
        ("2026-11-30", "is not verified"),
        ("2031", "no such set"),
        ("2026", "4 sets are called so"),
    ],
)
def test_what_is_none(store: Store, wanted: str, reason: str) -> None:
    with pytest.raises(RunbookError, match=reason):
        choose(store.catalogue(), wanted, [LOGICAL], unverified=False)


def test_one_that_is_not_verified_is_taken_by_its_name_alone(store: Store) -> None:
    assert choose(store.catalogue(), "2026-11-30", [LOGICAL], unverified=True).name == name_of(3)
    assert choose(store.catalogue(), "latest-verified", [LOGICAL], unverified=True).name == name_of(1)


def test_one_of_another_kind_is_none(store: Store) -> None:
    with pytest.raises(
        RunbookError, match="holds undercloud logical by backup-undercloud, and what can be restored is"
    ):
        choose(store.catalogue(), "2026-11-27", [PHYSICAL], unverified=True)


def test_one_that_was_changed_is_none(store: Store) -> None:
    (Path(store.base) / str(name_of(1)) / "manifest.json").write_text("{}")
    assert choose(store.catalogue(), "latest-verified", [LOGICAL], unverified=False).name == name_of(0)
    with pytest.raises(RunbookError, match="its manifest is not the one that was sealed"):
        choose(store.catalogue(), str(name_of(1)), [LOGICAL], unverified=True)
