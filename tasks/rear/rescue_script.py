"""A script of ReaR's on each node: what its images hold, so that `restore-node` can tell and reach the rescue system.

ReaR runs it whenever it makes an image. From then on whoever may log in to the node as the site does may log in to its rescue
system as root, at the node's own host keys; and beside the image lies a record of the node: which disks it has, by what they say
of themselves, where its config drive is, which of TripleO's units ran.
"""

from __future__ import annotations

from blocks.remote.command import script
from blocks.remote.shell import Shell
from tasks.engine.change import Change
from tasks.rear.sftp import KEY

# After 500_ssh_setup.sh, which is there in ReaR 2.4 to 2.7 and makes other host keys.
PATH = "/usr/share/rear/build/default/510_openstack_runbooks.sh"
# Beside the ISO. By SFTP all nodes' ISOs and records lie in one directory.
_RECORD = "openstack-runbooks-{}.record"

# `local`, `Error` and the variables in capitals are ReaR's: it sources this within a function.
_TEXT = """\
# Written by the runbook install-rear; do not edit: the next run writes it anew.
# shellcheck shell=bash disable=SC2034,SC2154,SC2168

# Whoever may log in to this node as @USER@ may do so as root in its rescue system, at the node's own host keys. Root's own file
# may hold the same keys with a command that turns everybody away, so it is replaced.
local home keys
home=$(getent passwd @USER@ | cut -d : -f 6)
keys=$home/.ssh/authorized_keys
test -s "$keys" || Error "@USER@ has no $keys: nobody could log in to the rescue system"
mkdir -p "$ROOTFS_DIR/root/.ssh" "$ROOTFS_DIR/etc/ssh"
chmod 700 "$ROOTFS_DIR/root/.ssh"
cat "$keys" >"$ROOTFS_DIR/root/.ssh/authorized_keys"
chmod 600 "$ROOTFS_DIR/root/.ssh/authorized_keys"
cp -p /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub "$ROOTFS_DIR/etc/ssh/" || Error "no host keys for the rescue system"
# ReaR takes the node's own sshd_config along: what it says of who may log in there would turn root away here.
local config=$ROOTFS_DIR/etc/ssh/sshd_config
test -s "$config" || Error "the rescue system has no sshd_config: nobody could log in to it (see SSH_FILES)"
sed -E -i -e 's/^[[:space:]]*(AllowUsers|AllowGroups|DenyUsers|DenyGroups)[[:space:]]/# &/I' \\
  -e 's/^[[:space:]]*(AuthorizedKeysFile|AuthenticationMethods)[[:space:]]/# &/I' \\
  -e '1i PermitRootLogin prohibit-password' -e '1i PubkeyAuthentication yes' "$config"
# By SFTP the archive is fetched with the node's own key; ReaR has taken it away, as each that has no passphrase.
test ! -s @KEY@ || cp -p @KEY@ "$ROOTFS_DIR@KEY@" || Error "no key for the rescue system to fetch the archive with"

# Which image this is. ReaR has put it there itself, and copied the node's own file over it since, which the vendor's role makes:
# `rear recover` would look for its archive in the directory of a new run.
printf "NETFS_PREFIX='%s'\\nOUTPUT_PREFIX='%s'\\n" "$NETFS_PREFIX" "$NETFS_PREFIX" >>"$ROOTFS_DIR/etc/rear/rescue.conf"

# A record of the node, beside the image: kind and values a line, between tabs.
local record=$TMP_DIR/@RECORD@ device size each block
{
  printf 'node\\t%s\\n' '@NODE@'
  printf 'run\\t%s\\n' "$NETFS_PREFIX"
  if test -d /sys/firmware/efi; then printf 'firmware\\tUEFI\\n'; else printf 'firmware\\tBIOS\\n'; fi
  while read -r each device size _; do
    printf 'disk\\t%s\\t%s\\t%s\\n' "$device" "$size" "$(@IDS@ | tr '\\n' ' ')"
  done < <(grep '^disk ' "$DISKLAYOUT_FILE")
  # What the node has beside them: none of it may be taken for a new disk later.
  for block in /sys/block/*; do
    @IS_DISK@ || continue
    device=/dev/${block##*/}
    device=${device//!//}
    grep -q "^disk $device " "$DISKLAYOUT_FILE" ||
      printf 'other disk\\t%s\\t%s\\t%s\\n' "$device" "$(($(cat "$block/size") * 512))" "$(@IDS@ | tr '\\n' ' ')"
  done
  # Only a partition that ReaR makes is left empty: a virtual CD or a disk of its own is none.
  device=$(readlink -e /dev/disk/by-label/config-2)
  test -z "$device" || ! grep -q "^part .* $device$" "$DISKLAYOUT_FILE" || printf 'config drive\\t%s\\n' "$device"
  for each in $(systemctl list-units --plain --no-legend --state=active 'tripleo_*.service' | cut -d ' ' -f 1); do
    printf 'unit\\t%s\\n' "$each"
  done
} >"$record"
RESULT_FILES+=( "$record" )
"""

# What $device says of itself, here and in the rescue system: WWN and serial number; where it has neither, as a virtual disk may,
# its place on the bus. The short form of a WWN is the same for all volumes of a RAID controller or an array.
ASK_IDS = """\
udevadm info --query=property --name "$device" | awk -F = '
    $1 == "ID_WWN" { wwn = $2 } $1 == "ID_WWN_WITH_EXTENSION" { whole = $2 } $1 == "ID_PATH" { place = $2 }
    $1 ~ /^ID_SERIAL(_SHORT)?$/ { print $2; serial = 1 }
    END { if (whole || wwn) print whole ? whole : wwn; else if (!serial && place) print place }'"""
# Whether $block is a disk: no loop, map, array or removable medium, and no single path to an NVMe namespace.
IS_DISK = (
    '[ -e "$block/device" ] && [ "$(cat "$block/removable")" != 1 ] && [ "$(cat "$block/size")" != 0 ] && '
    '[ "$(cat "$block/hidden" 2>/dev/null)" != 1 ]'
)

_PUT = """
install -d -m 755 "${1%/*}"
new=$1.new
install -m 600 /dev/null "$new"
cat >"$new"
mv -fT -- "$new" "$1"
"""
_READ = '[ ! -e "$1" ] || cat -- "$1"'


def record_of(node: str) -> str:
    """The name of a node's record.

    Args:
        node: The node's name in the inventory.
    """
    return _RECORD.format(node)


def script_text(node: str, user: str) -> str:
    """The script.

    Args:
        node: The node's name in the inventory.
        user: Who logs in there.
    """
    text = _TEXT.replace("@IDS@", ASK_IDS).replace("@IS_DISK@", IS_DISK)
    return (
        text.replace("@NODE@", node).replace("@USER@", user).replace("@RECORD@", record_of(node)).replace("@KEY@", KEY)
    )


def put_script(node: str, user: str) -> Change:
    """Have ReaR run the script.

    Args:
        node: The node's name in the inventory.
        user: Who logs in there.
    """
    text = script_text(node, user)

    def already(shell: Shell) -> bool:
        return shell.run(script(_READ, PATH, quiet=True, changes=False)).stdout == text

    says = "have images hold what a restore of the node needs"
    return Change(
        (script(_PUT, PATH, stdin=text, stdin_is=f"{PATH}, as the runbook makes it", says=says),), already=already
    )
