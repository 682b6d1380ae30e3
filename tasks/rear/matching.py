"""Whether an image, a machine and its disks belong together (BR 4.2 and 4.3, before step 4): a pure function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tasks.rear.stored_images import Disk, StoredImage

# What firmware says that was never given a UUID.
_NO_UUIDS = ("", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")


@dataclass(frozen=True)
class Rescue:
    """What a rescue system says of itself.

    Attributes:
        run: The image that it was booted from: `FOLDER/TIME`.
        uuid: The machine's; empty where its firmware has none.
        uefi: Whether it has booted by UEFI.
        layout: The disks that ReaR will write, as they were.
        disks: The disks that there are.
        unmatched: What else ReaR's layout would write that is no disk: multipath devices, volumes of a RAID controller.
    """

    run: str
    uuid: str
    uefi: bool
    layout: tuple[Disk, ...]
    disks: tuple[Disk, ...]
    unmatched: tuple[str, ...] = ()


def judge(image: StoredImage, rescue: Rescue, named: Collection[str], bmc_uuid: str) -> list[str]:
    """Why this image must not be restored on this machine; nothing where it may.

    ReaR writes to the disks that are called as they were. So each of these must be the one of then; or, where that has been
    replaced, the only one that it can be, or one that somebody has named.

    Args:
        image: The image.
        rescue: What its rescue system says.
        named: WWNs or serial numbers of disks that may be erased.
        bmc_uuid: The machine's UUID as its BMC has it; empty where nobody knows.
    """
    reasons = []
    if image.uefi != rescue.uefi:
        was, booted = ("UEFI" if uefi else "BIOS" for uefi in (image.uefi, rescue.uefi))
        reasons.append(f"the image is of a node that had booted by {was}, and this has booted by {booted}")
    if bmc_uuid not in _NO_UUIDS and rescue.uuid not in _NO_UUIDS and not _same_uuid(bmc_uuid, rescue.uuid):
        reasons.append(f"its UUID is {rescue.uuid}, and the BMC says {bmc_uuid}: this is another machine")
    reasons += [
        f"ReaR would write {each}, which is not compared here: recover at the console" for each in rescue.unmatched
    ]
    return reasons + _judge_disks(image, rescue, named)


def _judge_disks(image: StoredImage, rescue: Rescue, named: Collection[str]) -> list[str]:
    if not rescue.layout:
        return ["ReaR's layout names no disk"]
    was, there = {disk.device: disk for disk in image.disks}, {disk.device: disk for disk in rescue.disks}
    reasons = []
    for device in (disk.device for disk in rescue.layout):
        if device not in was:
            reasons.append(f"ReaR would write {device}, of which the record beside the image knows nothing")
        elif device not in there:
            reasons.append(f"there is no disk {device}, which ReaR would write")
        else:
            reasons += _judge_disk(was[device], there[device], image, rescue, named)
    return reasons


def _judge_disk(target: Disk, found: Disk, image: StoredImage, rescue: Rescue, named: Collection[str]) -> list[str]:
    if found.size_bytes < target.size_bytes:
        return [f"disk {found} is smaller than the {target.size_bytes / 2**30:.1f} GiB that were on {target.device}"]
    then = (*image.disks, *image.others)
    own = found.ids - _shared(rescue.disks)
    if own & set(named) or own & (target.ids - _shared(then)):
        return []
    beside = [disk for disk in then if disk.device != target.device]
    known = next((disk for disk in beside if disk.ids & found.ids), None)
    if known is not None:
        return [f"disk {found} is not the one that was {target.device}, but the one that was {known.device}"]
    if len(rescue.layout) < len(rescue.disks):
        said = "there are others beside it, and nobody has named it"
        return [f"disk {found} is not the one that was {target.device}, {said}"]
    if untold := [disk.device for disk in image.others if not (disk.ids and found.ids)]:
        said = f"it may be the one that was {', '.join(untold)}, since not both say which they are"
        return [f"disk {found} is not known to be the one that was {target.device}: {said}"]
    return []


def _shared(disks: Iterable[Disk]) -> set[str]:
    """What more than one disk says of itself, and so tells none from another: some hypervisors give all the same serial."""
    return {each for each, count in Counter(each for disk in disks for each in disk.ids).items() if count > 1}


def _same_uuid(one: str, other: str) -> bool:
    """Compare two UUIDs: some firmware writes the first three parts with their bytes the other way round."""

    def turned(uuid: str) -> str:
        parts = uuid.split("-")
        return "-".join([*(bytes.fromhex(part)[::-1].hex() for part in parts[:3]), *parts[3:]])

    try:
        return one == other or turned(one) == other
    except ValueError:
        return False


def judge_volume_groups(rescue: Rescue, groups: Collection[tuple[str, str]]) -> list[str]:
    """Why a volume group that ReaR does not restore would be lost; nothing where none is.

    ReaR makes volume groups by their names, and removes what stands in the way by its name (`vgremove --force`, since 2.7).

    Args:
        rescue: What the rescue system says.
        groups: Volume groups of the layout's names that there are, each with a disk that it is on.
    """
    targets = {disk.device for disk in rescue.layout}
    return [
        f"volume group {group}, which ReaR would make, is on {disk}, which ReaR does not write"
        for group, disk in groups
        if disk not in targets
    ]
