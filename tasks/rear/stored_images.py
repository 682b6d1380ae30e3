"""Images as they lie on the store: which there are of a node, and what is recorded beside each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from blocks.remote.command import script
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from tasks.engine.change import Change
from tasks.rear.images import SUMS
from tasks.rear.rescue_script import record_of

_TIME = "%Y%m%dT%H%M%SZ"
# ReaR names a run by the node's clock; nodes are imaged side by side.
_ONE_BACKUP = timedelta(hours=2)


@dataclass(frozen=True)
class Disk:
    """A disk that ReaR writes.

    Attributes:
        device: Its name in the kernel (`/dev/vda`).
        size_bytes: Its size.
        ids: What it says of itself: WWN, serial number; where it has neither, its place on the bus.
    """

    device: str
    size_bytes: int
    ids: frozenset[str] = frozenset()

    def __str__(self) -> str:
        ids = f", {' '.join(sorted(self.ids))}" if self.ids else ""
        return f"{self.device} ({self.size_bytes / 2**30:.1f} GiB{ids})"


@dataclass(frozen=True)
class StoredImage:
    """An image on the store.

    Attributes:
        node: The node's name in the inventory.
        run: `FOLDER/TIME`, as ReaR has it.
        iso: The ISO, as a path below the directory of images.
        size_bytes: What the image takes.
        whole: Whether it was found to be whole: it has sums.
        uefi: Whether the node had booted by UEFI.
        disks: The disks that ReaR writes.
        config_drive: The partition of the config drive; empty where there was none.
        units: TripleO's units that ran.
        others: The disks that the node had beside those that ReaR writes.
    """

    node: str
    run: str
    iso: str
    size_bytes: int
    whole: bool
    uefi: bool
    disks: tuple[Disk, ...]
    config_drive: str
    units: tuple[str, ...]
    others: tuple[Disk, ...] = ()

    @property
    def time(self) -> str:
        """When it was made, by the node's clock: `20261127T020000Z`."""
        return self.run.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.run} ({self.size_bytes / 2**30:.1f} GiB)"


# One line each: a record's line with the run's directory, sums, ISO and size before it.
_LIST = r"""
cd "$1" 2>/dev/null || { echo "there is no directory $1" >&2; exit 66; }
record=$2 sums=$3
for run in */*Z; do
  [ -d "$run" ] || continue
  grep -q -x -F "$(printf 'run\t%s' "$run")" "$run/$record" 2>/dev/null || continue
  iso=$(find "$run" -maxdepth 1 -name '*.iso' -print | head -n 1)
  whole=no
  [ ! -s "$run/$sums" ] || whole=yes
  size=$(du -s -B 1 "$run" | cut -f 1)
  awk -v head="$run\t$whole\t$iso\t$size" '{ print head "\t" $0 }' "$run/$record"
done
"""


def read_images(store: Shell, root: str, node: str) -> list[StoredImage]:
    """Ask the store for the images of a node, the oldest first.

    Args:
        store: The store's host.
        root: The directory of images.
        node: The node's name in the inventory.

    Raises:
        CommandFailed: There is no such directory.
    """
    command = script(
        _LIST,
        root,
        record_of(node),
        SUMS,
        quiet=True,
        changes=False,
        timeout_s=300,
        says="list the images on the store",
    )
    return parse_images(store.run(command).stdout, node)


def parse_images(text: str, node: str) -> list[StoredImage]:
    """Read what the store prints: of each line of a record, what is known of its run before it."""
    runs: dict[tuple[str, str, str, str], list[list[str]]] = {}
    for line in text.splitlines():
        run, whole, iso, size, *told = line.split("\t")
        runs.setdefault((run, whole, iso, size), []).append(told)
    return sorted((_image(node, *head, told) for head, told in runs.items()), key=lambda image: image.time)


def _image(node: str, run: str, whole: str, iso: str, size: str, told: Sequence[Sequence[str]]) -> StoredImage:
    def values(kind: str) -> list[Sequence[str]]:
        return [rest for name, *rest in told if name == kind and rest]

    def disks(kind: str) -> tuple[Disk, ...]:
        return tuple(Disk(device, int(size), frozenset(ids.split())) for device, size, ids in values(kind))

    return StoredImage(
        node=node,
        run=run,
        iso=iso,
        size_bytes=int(size),
        whole=whole == "yes",
        uefi=values("firmware") == [["UEFI"]],
        disks=disks("disk"),
        config_drive=next((device for (device,) in values("config drive")), ""),
        units=tuple(unit for (unit,) in values("unit")),
        others=disks("other disk"),
    )


def choose(images: Sequence[StoredImage], time: str) -> tuple[StoredImage | None, str]:
    """Choose an image of a node.

    Args:
        images: All of it, the oldest first.
        time: The beginning of the time of the one that is wanted; empty for the latest.

    Returns:
        The image, or None and why there is none.
    """
    wanted = [image for image in images if image.time.startswith(re.sub(r"[-:]", "", time))]
    if not images:
        return (
            None,
            "the store has no image that a restore could be told of: none, or made before install-rear was run last",
        )
    if not wanted:
        return None, f"the store has none of {time}; it has {', '.join(image.time for image in images)}"
    whole = [image for image in wanted if image.whole and image.iso]
    if not whole:
        return None, f"none was found to be whole when it was made: {', '.join(image.time for image in wanted)}"
    return whole[-1], ""


def of_one_backup(images: Sequence[StoredImage]) -> bool:
    """Whether images of several nodes were made side by side."""
    times = [datetime.strptime(image.time, _TIME).replace(tzinfo=UTC) for image in images]
    return not times or max(times) - min(times) <= _ONE_BACKUP


_COMPARE = """
cd "$1/$2" || exit
sha256sum --check "$3"
"""


def compare_images(root: str, images: Sequence[StoredImage], within_s: float) -> Change:
    """Read the images on the store to their end, and compare them with their sums.

    Args:
        root: The directory of images.
        images: Those that are restored.
        within_s: Seconds for each.
    """
    words = ("bash", "-o", "errexit", "-c", _COMPARE, "bash", root)
    return Change(
        tuple(
            LongCommand(
                "restore-node-compare", (*words, image.run, SUMS), within_s, says=f"compare {image.run} with its sums"
            )
            for image in images
        )
    )
