"""Disks that are not restored: read-only for the rescue system's kernel, so that nothing there can write to them.

ReaR's own `WRITE_PROTECTED_IDS` is known from 2.7 on alone, and keeps ReaR from choosing a disk, not from removing a volume group
that is on it; `ONLY_INCLUDE_VG` counts when an image is made. This holds for every version, and until the node boots again.
"""

from __future__ import annotations

from blocks.remote.shell import Shell
from tasks.engine.change import Change
from tasks.rear.rescue import LAYOUT, rescue_command
from tasks.rear.rescue_script import IS_DISK

# Each disk, and each of its partitions, that ReaR does not write and that can be written to still.
_EACH = f"""{LAYOUT}
each_other() {{
  local block part device
  for block in "$root"/sys/block/*; do
    {IS_DISK} || continue
    device=/dev/${{block##*/}}
    grep -q "^disk ${{device//!//}} " "$layout" && continue
    for part in "$block" "$block/${{block##*/}}"*; do
      [ "$(cat "$part/ro" 2>/dev/null)" = 0 ] || continue
      device=/dev/${{part##*/}}
      "$@" "${{device//!//}}"
    done
  done
}}
"""
_LIST = f"""{_EACH}
each_other echo
"""
_PROTECT = f"""{_EACH}
type -P blockdev >/dev/null || {{
  echo "this rescue system has no blockdev: start install-rear, and make an image anew; or take the other disks out" >&2
  exit 69
}}
set_read_only() {{ blockdev --setro "$1"; }}
each_other set_read_only
"""


def protect_other_disks(root: str = "") -> Change:
    """Have no disk written to that ReaR does not restore.

    Args:
        root: Where the rescue system's file system begins; nothing on a host.
    """
    writable = rescue_command(_LIST, root, says="look for other disks")

    def already(shell: Shell) -> bool:
        return not shell.run(writable).text

    protect = rescue_command(_PROTECT, root, changes=True, says="set all other disks read-only until the next boot")
    return Change((protect,), already=already)
