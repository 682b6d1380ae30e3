"""How much room the next set will want."""

from datetime import timedelta

import pytest

from tasks.backup.catalogue import SealedSet, StoredSet
from tasks.backup.manifest import Kind
from tasks.backup.room import expected_bytes
from tests.unit.tasks.backup.samples import LOGICAL, PHYSICAL, START, name_of


def sets(*sizes: tuple[int, tuple[Kind, ...]]) -> list[StoredSet]:
    return [
        StoredSet(
            name_of(number),
            number + 2,
            SealedSet(
                set_id=str(name_of(number)),
                manifest_sha256="0" * 64,
                started=START + timedelta(days=number),
                size_bytes=size,
                kinds=kinds,
            ),
        )
        for number, (size, kinds) in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ((), 1000),
        (((100, (LOGICAL,)),), 125),
        (((400, (LOGICAL,)), (100, (LOGICAL,)), (200, (LOGICAL,)), (120, (LOGICAL,))), 250),
        (((300, (LOGICAL, PHYSICAL)),), 375),
        (((100, (PHYSICAL,)),), 1000),
    ],
    ids=["the first", "one", "the largest of the latest three", "of both kinds", "of another kind"],
)
def test_a_dump_wants_a_little_more_than_the_last_ones(
    earlier: tuple[tuple[int, tuple[Kind, ...]], ...], expected: int
) -> None:
    assert expected_bytes(sets(*earlier), [LOGICAL], 1000) == expected


def test_the_first_set_of_two_kinds_is_as_large_as_the_data_twice() -> None:
    assert expected_bytes(sets((100, (LOGICAL,))), [LOGICAL, PHYSICAL], 1000) == 2000
