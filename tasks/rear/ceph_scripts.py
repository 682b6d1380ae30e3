"""Scripts of ReaR's that keep a colocated Ceph monitor's data, as it was at the end (BR 4.1).

The first saves `/var/lib/ceph` from the old disk before it is erased, the second puts it in the place of what the archive holds.
Device and file system are found, not asked for. Where the disk is empty, can't be mounted, or is another node's, the archive's
stays.
A `rear recover` that was cut short leaves a disk that looks like an old one: what was saved first counts, and a third script marks
what is being restored.
"""

from __future__ import annotations

from blocks.remote.command import question, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change

SAVE = "/usr/share/rear/setup/default/011_backup_ceph.sh"
MARK = "/usr/share/rear/restore/default/011_mark_ceph.sh"
RESTORE = "/usr/share/rear/wrapup/default/501_restore_ceph.sh"
_MONITOR = "/var/lib/ceph/mon"

_HEAD = """\
# Written by the runbook install-rear, as in section 4.1, step {step}; do not edit: the next run writes it anew.
# shellcheck shell=bash disable=SC2154,SC2168
"""
# ReaR sources it within a function, before it erases anything; `VAR_DIR` and `LogPrint` are its own. An archive that was cut
# short must not be taken for one.
_SAVE_TEXT = """\
local device='' point='' type='' each mounted kind from
# The file system that holds /var/lib/ceph is the one whose mount point leads furthest towards it.
while read -r _ each mounted kind _; do
  [[ /var/lib/ceph/ == "${mounted%/}"/* ]] || continue
  test "${#mounted}" -gt "${#point}" || continue
  device=$each point=$mounted type=$kind
done < <(grep '^fs ' "$VAR_DIR/layout/disklayout.conf")
from=/mnt/local/
from+=$(printf '%s' /var/lib/ceph | cut -c "$((${#point} + 1))-")
if test -s /tmp/ceph.tar.gz; then
  LogPrint "The Ceph monitor's data was saved by an attempt before"
elif test "$device"; then
  lvm vgchange --available y >/dev/null 2>&1 || :
  if mount -o ro -t "$type" "$device" /mnt/local; then
    if test -e "$from/@MARK@"; then
      LogPrint "$device was being restored: the Ceph monitor's data comes from the archive"
    elif compgen -G "$from/mon/*-$HOSTNAME" >/dev/null || compgen -G "$from/mon/*-$HOSTNAME.*" >/dev/null; then
      if tar --create --gzip --file /tmp/ceph.tar.gz.new --xattrs --xattrs-include='*.*' --acls --directory "$from" .; then
        mv /tmp/ceph.tar.gz.new /tmp/ceph.tar.gz
        LogPrint "Saved the Ceph monitor's data from $device"
      else
        LogPrint "The Ceph monitor's data could not be saved from $device: it comes from the archive"
      fi
    else
      LogPrint "$device holds no Ceph monitor of $HOSTNAME: its data comes from the archive"
    fi
    umount /mnt/local
  else
    LogPrint "$device can't be mounted: the Ceph monitor's data comes from the archive"
  fi
  lvm vgchange --available n >/dev/null 2>&1 || :
fi
"""
# Before the archive is unpacked.
_MARK_TEXT = """\
mkdir -p /mnt/local/var/lib/ceph && : >"/mnt/local/var/lib/ceph/@MARK@"
"""
_RESTORE_TEXT = """\
if test -s /tmp/ceph.tar.gz; then
  find /mnt/local/var/lib/ceph -mindepth 1 -delete
  tar --extract --gzip --file /tmp/ceph.tar.gz --xattrs --xattrs-include='*.*' --acls --directory /mnt/local/var/lib/ceph ||
    Error "the Ceph monitor's data could not be put back from /tmp/ceph.tar.gz"
  LogPrint "Put the Ceph monitor's data back as it was on the old disk"
fi
rm -f "/mnt/local/var/lib/ceph/@MARK@"
"""
_MARK_NAME = ".openstack-runbooks-half-restored"
TEXTS = {
    path: (_HEAD.format(step=step) + text).replace("@MARK@", _MARK_NAME)
    for path, step, text in ((SAVE, 1, _SAVE_TEXT), (MARK, 2, _MARK_TEXT), (RESTORE, 2, _RESTORE_TEXT))
}

_PUT = """
install -d -m 755 "${1%/*}"
new=$1.new
install -m 600 /dev/null "$new"
cat >"$new"
mv -fT -- "$new" "$1"
"""
_READ = '[ ! -e "$1" ] || cat -- "$1"'


def has_monitor(shell: Shell) -> bool:
    """Whether a Ceph monitor keeps its data on the node."""
    return shell.run(question("test", "-d", _MONITOR, ok=(0, 1))).exit_code == 0


def put_scripts() -> Change:
    """Have the scripts in place."""

    def already(shell: Shell) -> bool:
        said = [shell.run(script(_READ, path, quiet=True, changes=False)).stdout for path in TEXTS]
        return said == list(TEXTS.values())

    commands = tuple(
        script(_PUT, path, stdin=text, stdin_is=f"{path}, as the runbook makes it", says=f"write {path}")
        for path, text in TEXTS.items()
    )
    return Change(commands, already=already)
