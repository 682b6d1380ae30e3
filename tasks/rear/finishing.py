"""What is done in the rescue system once ReaR has recovered the node (BR 4.2 step 5, 4.3 steps 5 and 6)."""

from __future__ import annotations

from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.change import Change
from tasks.rear.rescue import AWAY, LAYOUT, rescue_command

# As documented: the file that the backup has saved, to the partition, which ReaR has made and left empty. A disk that was used
# before may have the traces of another file system there: what counts is that ReaR has put nothing into it.
_WRITE = f"""{LAYOUT}
file=$root/mnt/local/mnt/config-drive
[ -s "$file" ] || {{ echo "the image holds no $file" >&2; exit 65; }}
grep -q "^part .* $2$" "$layout" || {{ echo "ReaR has made no partition $2" >&2; exit 65; }}
kind=$(awk -v part="$2" -F '[ ,=]' '
  $1 ~ /^(fs|swap|lvmdev|raid|crypt)$/ {{ for (i = 2; i <= NF; i++) if ($i == part) print $1 }}' "$layout")
[ -z "$kind" ] || {{ echo "ReaR has made $2 for something else ($kind): it is not the config drive's partition" >&2; exit 65; }}
dd if="$file" of="$2" bs=1M status=none
sync
"""
_SAME = """
file=$1/mnt/local/mnt/config-drive
size=$(stat -c %s "$file") || exit 1
[ "$(head -c "$size" "$2" | md5sum)" = "$(md5sum <"$file")" ]
"""


def restore_config_drive(partition: str, within_s: float, root: str = "") -> Change:
    """Write the config drive's partition (BR 4.3, step 5).

    Args:
        partition: The partition, as it was when the image was made.
        within_s: Seconds for it.
        root: Where the rescue system's file system begins; nothing on a host.
    """

    def already(shell: Shell) -> bool:
        try:
            shell.run(same)
        except HostError as error:
            if isinstance(error, AWAY):
                raise
            return False
        return True

    same = rescue_command(_SAME, root, partition, within_s=within_s, says="compare the config drive")
    write = rescue_command(_WRITE, root, partition, changes=True, within_s=within_s, says="write the config drive")
    return Change(
        (write, rescue_command(_SAME, root, partition, within_s=within_s, says="compare what was written")),
        already=already,
    )


# What is mounted below the restored system goes first. The connection must end before the network does.
_POWER_OFF = """
sync
awk '$2 ~ "^/mnt/local" { print $2 }' /proc/mounts | sort -r | while read -r each; do umount "$each" || :; done
sync
(trap "" HUP; sleep 1; poweroff) </dev/null >/dev/null 2>&1 &
"""


def power_off() -> Change:
    """Have the rescue system power the node off (BR 4.2 step 5, 4.3 step 6); one that does not answer any more is off."""

    def already(shell: Shell) -> bool:
        try:
            shell.run(rescue_command("true", says="see whether it answers"))
        except AWAY:
            return True
        return False

    return Change((rescue_command(_POWER_OFF, changes=True, says="power the node off"),), already=already)
