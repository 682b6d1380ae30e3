"""ReaR's rescue system on a node (BR 4.2 and 4.3, steps 2 to 4): reached as root at the node's own host keys, and judged.

It has a shell and what ReaR needs, no more: no sudo, no systemd-run, no `timeout`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from blocks.remote.command import Command, script
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import CommandTimedOut, ConnectionLost, HostError, LoginRejected, Unreachable
from blocks.remote.shell import Shell
from tasks.engine.change import Call, Change, Wait
from tasks.rear.rescue_script import ASK_ID, SED_ID
from tasks.rear.stored_images import Disk, StoredImage

USER = "root"
READY, NO_ANSWER, OWN_SYSTEM = "ready", "no answer", "the node's own system"
# Nobody may be asked again after these: the node is away, or on its way.
AWAY = (Unreachable, ConnectionLost, CommandTimedOut)

# $1 is where the file system begins: nothing on a host. Partitions, loops and maps have no `device`.
_LOOK = f"""
root=$1
[ -e "$root/etc/rear-release" ] || exit 0
echo rescue
sed -n "s/^NETFS_PREFIX='\\{{0,1\\}}\\([^']*\\)'\\{{0,1\\}}$/run\\t\\1/p" "$root/etc/rear/rescue.conf"
[ ! -r "$root/sys/class/dmi/id/product_uuid" ] || printf 'uuid\\t%s\\n' "$(cat "$root/sys/class/dmi/id/product_uuid")"
[ ! -d "$root/sys/firmware/efi" ] || echo uefi
sed -n 's/^disk \\([^ ]*\\) \\([0-9]*\\).*/layout\\t\\1\\t\\2/p' "$root/var/lib/rear/layout/disklayout.conf"
for block in "$root"/sys/block/*; do
  [ -e "$block/device" ] && [ "$(cat "$block/removable")" != 1 ] && [ "$(cat "$block/size")" != 0 ] || continue
  device=/dev/${{block##*/}}
  ids=$({ASK_ID} "$device" | sed -n '{SED_ID}' | tr '\\n' ' ')
  printf 'disk\\t%s\\t%s\\t%s\\n' "$device" "$(($(cat "$block/size") * 512))" "$ids"
done
"""


@dataclass(frozen=True)
class Rescue:
    """What a rescue system says of itself.

    Attributes:
        run: The image that it was booted from: `FOLDER/TIME`.
        uuid: The machine's; empty where its firmware has none.
        uefi: Whether it has booted by UEFI.
        layout: The disks that ReaR will write, as they were.
        disks: The disks that there are.
    """

    run: str
    uuid: str
    uefi: bool
    layout: tuple[Disk, ...]
    disks: tuple[Disk, ...]


def rescue_command(text: str, *arguments: str, changes: bool = False, within_s: float = 60, says: str) -> Command:
    """Make a command that a rescue system can run.

    Args:
        text: A script of bash.
        arguments: Its arguments.
        changes: Whether it changes anything.
        within_s: Seconds until it is given up.
        says: What it does, in a few words.
    """
    quiet = not changes
    return script(
        text, *arguments, root=False, limited=False, changes=changes, quiet=quiet, timeout_s=within_s, says=says
    )


def parse_rescue(text: str) -> Rescue | None:
    """Read what a node prints; None where that is not its rescue system."""
    rows = [line.split("\t") for line in text.splitlines()]
    if ["rescue"] not in rows:
        return None

    def disks(kind: str) -> tuple[Disk, ...]:
        return tuple(Disk(row[1], int(row[2]), frozenset(" ".join(row[3:]).split())) for row in rows if row[0] == kind)

    def one(kind: str) -> str:
        return next((row[1] for row in rows if row[0] == kind and len(row) > 1), "")

    return Rescue(one("run"), one("uuid").lower(), ["uefi"] in rows, disks("layout"), disks("disk"))


def read_rescue(shell: Shell, root: str = "") -> Rescue | None:
    """Ask a node for its rescue system; None where it runs its own system.

    Args:
        shell: As root on the node.
        root: Where the file system begins.
    """
    return parse_rescue(shell.run(rescue_command(_LOOK, root, says="look at the rescue system")).stdout)


def rescue_state(shell: Shell, image: StoredImage) -> str:
    """Say what answers at the node's address: `READY` for the rescue system of this image.

    Raises:
        HostError: The rescue system is another image's; or the host key is not the node's.
    """
    try:
        rescue = read_rescue(shell)
    except AWAY:
        return NO_ANSWER
    except LoginRejected:
        return OWN_SYSTEM
    if rescue is None:
        return OWN_SYSTEM
    if rescue.run != image.run:
        raise HostError(
            shell.name,
            f"its rescue system is of the image {rescue.run or 'of no known run'}, and not of {image.run}",
            "see which ISO its BMC or DVD drive has, then start the runbook again",
        )
    return READY


def wait_for_rescue(image: StoredImage, within_s: float) -> Change:
    """Wait until the rescue system of an image lets root in.

    Args:
        image: The image.
        within_s: Seconds until it must.
    """
    hint = "see the node's console: whether it boots the ISO, and whether the rescue system's network is up (docs/images.md)"
    wait = Wait("the rescue system", READY, lambda shell: rescue_state(shell, image), within_s, hint, every_s=3)
    return Change((), until=wait)


def judge(image: StoredImage, rescue: Rescue, named: Collection[str], bmc_uuid: str) -> list[str]:
    """Why this image must not be restored on this machine; nothing where it may.

    ReaR writes to the disks that are called as they were. So each of these must be the one of then; or, where that has been
    replaced, the only one there is, or one that somebody has named.

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
    if bmc_uuid and rescue.uuid and not _same_uuid(bmc_uuid, rescue.uuid):
        reasons.append(f"its UUID is {rescue.uuid}, and the BMC says {bmc_uuid}: this is another machine")
    there = {disk.device: disk for disk in rescue.disks}
    targets = [disk for disk in image.disks if disk.device in {each.device for each in rescue.layout}]
    if not targets:
        reasons.append("ReaR's layout names no disk")
    for target in targets:
        reasons += _judge_disk(target, there.get(target.device), len(targets) < len(there), named)
    return reasons


def _judge_disk(target: Disk, found: Disk | None, others: bool, named: Collection[str]) -> list[str]:
    if found is None:
        return [f"there is no disk {target.device}, which ReaR would write"]
    if found.size_bytes < target.size_bytes:
        return [f"disk {found} is smaller than the {target.size_bytes / 2**30:.1f} GiB that were on {target.device}"]
    if target.ids & found.ids or not others or found.ids & set(named):
        return []
    return [
        f"disk {found} is not the one that was {target.device}, there are others beside it, and nobody has named it"
    ]


def _same_uuid(one: str, other: str) -> bool:
    """Compare two UUIDs: some firmware writes the first three parts with their bytes the other way round."""

    def turned(uuid: str) -> str:
        parts = uuid.split("-")
        return "-".join([*(bytes.fromhex(part)[::-1].hex() for part in parts[:3]), *parts[3:]])

    try:
        return one == other or turned(one) == other
    except ValueError:
        return False


def check_rescue(image: StoredImage, named: Collection[str], bmc_uuid: str) -> Change:
    """See that image and machine belong together, and that the disks are those that may be erased.

    Args:
        image: The image.
        named: WWNs or serial numbers of disks that may be erased.
        bmc_uuid: The machine's UUID as its BMC has it; empty where nobody knows.
    """

    def check(shell: Shell, watch: Watch) -> Performed:
        rescue = read_rescue(shell)
        reasons = judge(image, rescue, named, bmc_uuid) if rescue else ["it has left its rescue system"]
        if reasons:
            seen = ", ".join(map(str, rescue.disks)) if rescue else ""
            hint = f"it has {seen or 'no disk'}. Name in `disks` what may be erased, by WWN or serial, or take the others out"
            raise HostError(shell.name, f"nothing was erased: {'; '.join(reasons)}", hint)
        watch.line(f"to be erased: {', '.join(map(str, image.disks))}")
        return "already"

    line = f"compare {image.run}, its firmware and its disks ({', '.join(map(str, image.disks))}) with what is there"
    return Change((Call(line, check),))
