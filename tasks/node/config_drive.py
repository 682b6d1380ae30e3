"""The config drive of a Controller, found by its label (BR 2.5 and 3.5, step 1).

ReaR restores the partition empty, so its content is kept in a file, which the image holds. `/mnt/config-drive` is where the
document's restore looks for it (4.3, step 5).
"""

from __future__ import annotations

from blocks.remote.command import script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.change import Change

LABEL = "/dev/disk/by-label/config-2"
FILE = "/mnt/config-drive"

_LOOK = """
[ ! -d "$2" ] || echo directory
device=$(readlink -e "$1") || exit 0
echo "device $device"
"""
# Compared once it is on the disk: a drive that can't be read to its end leaves a file that is shorter.
_SAVE = """
umask 077
dd if="$1" of="$2.new" bs=1M status=none
sync "$2.new"
[ "$(sha256sum <"$1")" = "$(sha256sum <"$2.new")" ] || { echo "$2.new is not what $1 holds" >&2; exit 1; }
mv -fT -- "$2.new" "$2"
"""
_SAME = '[ -f "$2" ] && [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]'


def find_config_drive(shell: Shell, label: str = LABEL, file: str = FILE) -> str:
    """Find the partition; empty where the node has none (it was not deployed by Ironic).

    Raises:
        HostError: The file's place is taken by a directory, which the text of 3.5 has made.
    """
    said = shell.run(script(_LOOK, label, file, quiet=True, changes=False)).stdout.splitlines()
    if "directory" in said:
        raise HostError(
            shell.name,
            f"{file} is a directory, and the config drive is saved to a file of that name",
            f"see what is in it, and remove it: `rmdir {file}`",
        )
    return next((line.partition(" ")[2] for line in said if line.startswith("device ")), "")


def save_config_drive(device: str, file: str = FILE) -> Change:
    """Save the partition to a file, for root alone.

    Args:
        device: The partition.
        file: The file.
    """
    same = script(_SAME, device, file, quiet=True, changes=False, ok=(0, 1), timeout_s=120)
    return Change(
        (script(_SAVE, device, file, timeout_s=300, says=f"save {device} to {file}"),),
        already=lambda shell: shell.run(same).exit_code == 0,
    )
