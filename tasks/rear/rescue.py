"""ReaR's rescue system on a node (BR 4.2 and 4.3, steps 2 to 4): reached as root at the node's own host keys, and judged.

It has a shell and what ReaR needs, no more: no sudo, no systemd-run, no `timeout`.
"""

from __future__ import annotations

from collections.abc import Collection

from blocks.remote.command import Command, script
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import CommandTimedOut, ConnectionLost, HostError, LoginRejected, Unreachable
from blocks.remote.shell import Shell
from tasks.engine.change import Call, Change, Wait
from tasks.rear.matching import Rescue, judge, judge_volume_groups
from tasks.rear.rescue_script import ASK_IDS, IS_DISK
from tasks.rear.stored_images import Disk, StoredImage

USER = "root"
READY, NO_ANSWER, OWN_SYSTEM = "ready", "no answer", "the node's own system"
# Nobody may be asked again after these: the node is away, or on its way.
AWAY = (Unreachable, ConnectionLost, CommandTimedOut)

# $1 is where the file system begins: nothing on a host. A layout in /etc/rear is what ReaR takes in place of its own.
LAYOUT = """
root=$1
layout=$root/etc/rear/disklayout.conf
[ -e "$layout" ] || layout=$root/var/lib/rear/layout/disklayout.conf
"""
_LOOK = f"""{LAYOUT}
[ -e "$root/etc/rear-release" ] || exit 0
echo rescue
sed -n "s/^NETFS_PREFIX='\\{{0,1\\}}\\([^']*\\)'\\{{0,1\\}}$/run\\t\\1/p" "$root/etc/rear/rescue.conf"
[ ! -r "$root/sys/class/dmi/id/product_uuid" ] || printf 'uuid\\t%s\\n' "$(cat "$root/sys/class/dmi/id/product_uuid")"
[ ! -d "$root/sys/firmware/efi" ] || echo uefi
sed -n 's/^disk \\([^ ]*\\) \\([0-9]*\\).*/layout\\t\\1\\t\\2/p' "$layout"
sed -n 's/^\\(multipath\\|logicaldrive\\) \\([^ ]*\\).*/unmatched\\t\\1 \\2/p' "$layout"
for block in "$root"/sys/block/*; do
  {IS_DISK} || continue
  device=/dev/${{block##*/}}
  device=${{device//!//}}
  ids=$({ASK_IDS} | tr '\\n' ' ')
  printf 'disk\\t%s\\t%s\\t%s\\n' "$device" "$(($(cat "$block/size") * 512))" "$ids"
done
"""
# Volume groups that are called as one of the layout's, with the disks below them.
_VOLUME_GROUPS = f"""{LAYOUT}
groups=$(sed -n 's/^lvmgrp \\/dev\\/\\([^ ]*\\) .*/\\1/p' "$layout")
[ "$groups" ] || exit 0
lvm pvs --noheadings -o pv_name,vg_name | while read -r volume group; do
  [[ $volume == /dev/* ]] || continue  # one that is missing is on no disk
  grep -q -x -F -- "$group" <<<"$groups" || continue
  lsblk -n -s -l -p -o NAME,TYPE "$volume" | while read -r device type; do
    [ "$type" != disk ] || printf '%s\\t%s\\n' "$group" "$device"
  done
done
"""


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

    unmatched = tuple(row[1] for row in rows if row[0] == "unmatched")
    return Rescue(one("run"), one("uuid").lower(), ["uefi"] in rows, disks("layout"), disks("disk"), unmatched)


def read_rescue(shell: Shell, root: str = "") -> Rescue | None:
    """Ask a node for its rescue system; None where it runs its own system.

    Args:
        shell: As root on the node.
        root: Where the file system begins.
    """
    return parse_rescue(shell.run(rescue_command(_LOOK, root, says="look at the rescue system")).stdout)


def read_volume_groups(shell: Shell, root: str = "") -> list[tuple[str, str]]:
    """Ask a rescue system for volume groups that are called as one that ReaR would make, each with a disk that it is on.

    Args:
        shell: As root on the node.
        root: Where the file system begins.
    """
    command = rescue_command(_VOLUME_GROUPS, root, says="look at the volume groups")
    rows = (line.partition("\t") for line in shell.run(command).stdout.splitlines())
    return sorted({(group, disk) for group, _, disk in rows if group})


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


def check_rescue(image: StoredImage, named: Collection[str], bmc_uuid: str) -> Change:
    """See that image and machine belong together, and that the disks are those that may be erased.

    Args:
        image: The image.
        named: WWNs or serial numbers of disks that may be erased.
        bmc_uuid: The machine's UUID as its BMC has it; empty where nobody knows.
    """

    def check(shell: Shell, watch: Watch) -> Performed:
        rescue = read_rescue(shell)
        reasons = ["it has left its rescue system"]
        if rescue:
            groups = judge_volume_groups(rescue, read_volume_groups(shell))
            reasons = judge(image, rescue, named, bmc_uuid) + groups
        if reasons:
            seen = ", ".join(map(str, rescue.disks)) if rescue else ""
            hint = f"it has {seen or 'no disk'}. Name in `disks` what may be erased, by WWN or serial, or take the others out"
            raise HostError(shell.name, f"nothing was erased: {'; '.join(reasons)}", hint)
        watch.line(f"to be erased: {', '.join(map(str, image.disks))}")
        return "already"

    line = f"compare {image.run}, its firmware and its disks ({', '.join(map(str, image.disks))}) with what is there"
    return Change((Call(line, check),))
