"""Which disk may be erased: by what it says of itself, and never by its name or size."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.rear.matching import Rescue, judge
from tasks.rear.stored_images import Disk, StoredImage

GIB = 2**30
UUID = "38947555-7742-3448-3784-823347823834"


def disk(device: str, *ids: str, size: int = 6 * GIB) -> Disk:
    return Disk(device, size, frozenset(ids))


def image(*disks: Disk, others: tuple[Disk, ...] = ()) -> StoredImage:
    run = "controller-0/20261127T020000Z"
    return StoredImage("controller-0", run, "x.iso", GIB, True, False, disks, "", (), others)


def rescue(layout: StoredImage, *disks: Disk) -> Rescue:
    return Rescue(layout.run, UUID, False, tuple(Disk(each.device, each.size_bytes) for each in layout.disks), disks)


A, B, NEW = disk("/dev/vda", "A"), disk("/dev/vdb", "B"), disk("/dev/vda", "NEW")
ONE, TWO, BESIDE = image(A), image(A, B), image(A, others=(B,))
BARE = disk("/dev/vda")
# Some hypervisors give all disks the same serial number.
SAME = image(disk("/dev/sda", "VMware"), others=(disk("/dev/sdb", "VMware"),))


def at(device: str, found: Disk) -> Disk:
    return replace(found, device=device)


@pytest.mark.parametrize(
    ("stored", "there", "named"),
    [
        (ONE, [A], ()),
        (ONE, [NEW], ()),
        (ONE, [replace(NEW, size_bytes=9 * GIB)], ()),
        (ONE, [B, A], ()),
        (ONE, [NEW, B], ("NEW",)),
        (image(BARE), [BARE], ()),
        (TWO, [A, B], ()),
        (TWO, [NEW, B], ()),
        (TWO, [NEW, at("/dev/vdb", disk("", "NEW2"))], ()),
        (BESIDE, [A, B], ()),
        (BESIDE, [NEW], ()),
        (BESIDE, [at("/dev/vda", B)], ("B",)),
    ],
)
def test_the_disk_of_then_or_the_only_new_one_or_a_named_one_may_be_erased(
    stored: StoredImage, there: list[Disk], named: tuple[str, ...]
) -> None:
    assert judge(stored, rescue(stored, *there), named, UUID) == []


@pytest.mark.parametrize(
    ("stored", "there", "named", "said"),
    [
        (ONE, [B], (), "there is no disk /dev/vda, which ReaR would write"),
        (ONE, [replace(A, size_bytes=GIB)], ("A",), "is smaller than the 6.0 GiB"),
        (ONE, [NEW, B], (), "is not the one that was /dev/vda, there are others beside it, and nobody has named it"),
        # The names of two disks have changed places.
        (ONE, [at("/dev/vda", B), at("/dev/vdb", A)], (), "is not the one that was /dev/vda, there are others"),
        (
            TWO,
            [at("/dev/vda", B), at("/dev/vdb", A)],
            (),
            "is not the one that was /dev/vda, but the one that was /dev/vdb",
        ),
        # The disk has failed and is gone: what had stood beside it now has its name, and is the only one there is.
        (BESIDE, [at("/dev/vda", B)], (), "is not the one that was /dev/vda, but the one that was /dev/vdb"),
        (image(BARE, others=(disk("/dev/vdb"),)), [BARE], (), "it may be the one that was /dev/vdb"),
        (image(A, others=(disk("/dev/vdb"),)), [NEW], (), "it may be the one that was /dev/vdb"),
        # What all say tells none from another.
        (SAME, [disk("/dev/sda", "VMware"), disk("/dev/sdb", "VMware")], (), "is not the one that was /dev/sda"),
        (SAME, [disk("/dev/sda", "VMware"), disk("/dev/sdb", "VMware")], ("VMware",), "is not the one that was"),
        (SAME, [disk("/dev/sda", "VMware")], (), "is not the one that was /dev/sda"),
    ],
)
def test_what_may_hold_something_else_is_never_erased(
    stored: StoredImage, there: list[Disk], named: tuple[str, ...], said: str
) -> None:
    (reason, *_) = judge(stored, rescue(stored, *there), named, UUID)
    assert said in reason


def test_a_disk_of_the_layout_that_the_record_does_not_know_is_not_passed_over() -> None:
    seen = replace(rescue(ONE, A, B), layout=(disk("/dev/vda"), disk("/dev/vdb")))
    assert judge(ONE, seen, ("A", "B"), UUID) == [
        "ReaR would write /dev/vdb, of which the record beside the image knows nothing"
    ]


def test_what_rear_would_write_beside_disks_is_told() -> None:
    seen = replace(rescue(ONE, A), unmatched=("multipath /dev/mapper/mpatha",))
    assert judge(ONE, seen, (), UUID) == [
        "ReaR would write multipath /dev/mapper/mpatha, which is not compared here: recover at the console"
    ]


@pytest.mark.parametrize(
    ("bmc", "same"),
    [
        (UUID, True),
        ("", True),
        ("55759438-4277-4834-3784-823347823834", True),  # the same with its bytes turned round
        ("00000000-0000-0000-0000-000000000000", True),  # nobody has ever set it
        (UUID.replace("3", "4"), False),
        ("not a UUID", False),
    ],
)
def test_the_machine_is_the_one_whose_bmc_was_asked(bmc: str, same: bool) -> None:
    reasons = judge(ONE, rescue(ONE, A), (), bmc)
    assert reasons == ([] if same else [f"its UUID is {UUID}, and the BMC says {bmc}: this is another machine"])
