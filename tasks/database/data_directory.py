"""The database's data directory on each host: kept aside, made anew, and the space for both."""

from __future__ import annotations

import re
from dataclasses import dataclass

from blocks.remote.command import Command, question, script
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from tasks.engine.change import Change

LABEL = "system_u:object_r:container_file_t:s0"


def old_data_path(directory: str, stamp: str) -> str:
    """Where the old data goes: beside it, dated, so that no second run moves anything into it."""
    return f"{directory}-save-{stamp}"


@dataclass(frozen=True)
class DataDirectory:
    """What a host says of its data directory.

    Attributes:
        used_bytes: What lies in it, 0 if it does not exist.
        free_bytes: What the file system has left on which a second one beside it lies.
        mount_point: Whether it is one: then it can't be moved aside.
        labelled: Whether it carries an SELinux label.
        saves: Directories beside it that keep other data.
        free_within_bytes: What its own file system has left: another one where it is a mount point.
    """

    used_bytes: int
    free_bytes: int
    mount_point: bool
    labelled: bool
    saves: tuple[str, ...]
    free_within_bytes: int = 0


_READ = r"""
d=$1
echo "used $(du -sxB1 "$d" 2>/dev/null | cut -f1)"
echo "free $(df -B1 --output=avail "$(dirname "$d")" | tail -1)"
echo "within $(df -B1 --output=avail "$d" 2>/dev/null | tail -1)"
mountpoint -q "$d" && echo "mount yes" || echo "mount no"
case $(stat -c %C "$d" 2>/dev/null || stat -c %C "$(dirname "$d")") in *:*) echo "label yes";; *) echo "label no";; esac
for s in "$d"-save*; do [ ! -e "$s" ] || echo "save $s"; done
"""


def parse_data_directory(text: str) -> DataDirectory:
    """Read what the script above wrote."""
    pairs = [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]
    seen = {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0] != "save"}
    return DataDirectory(
        used_bytes=int(seen.get("used", "0")),
        free_bytes=int(seen.get("free", "0")),
        free_within_bytes=int(seen.get("within", "0")),
        mount_point=seen.get("mount") == "yes",
        labelled=seen.get("label") == "yes",
        saves=tuple(pair[1].strip() for pair in pairs if pair[0] == "save"),
    )


def read_data_directory(shell: Shell, directory: str) -> DataDirectory:
    """Look at the data directory."""
    return parse_data_directory(shell.run(script(_READ, directory, quiet=True, changes=False, timeout_s=300)).stdout)


def exists(shell: Shell, path: str) -> bool:
    """Whether something is there under this name."""
    return shell.run(question("test", "-e", path, ok=(0, 1))).exit_code == 0


def move_aside(directory: str, old_data: str) -> Change:
    """Move the data aside; an empty directory stands for a directory that was not there."""
    return Change(
        (script('[ -e "$1" ] || mkdir "$1"; [ ! -e "$2" ] || exit 17; mv -T "$1" "$2"', directory, old_data),),
        already=lambda shell: exists(shell, old_data),
    )


# Compared by names, owners and modes, and files by their checksums: what differs ends it, and the copy gets its name last. A
# socket that a server has left is no data, and can't be read.
_COPY_ASIDE = """
rm -rf --one-file-system -- "$2.part"
cp -a -- "$1" "$2.part"
listing() {
  cd "$1" && {
    find . -xdev -not -type s -printf '%P %y %m %U:%G %l\\n' &&
    find . -xdev -type f -print0 | xargs -0 -r sha256sum --
  } | sort
}
[ "$(listing "$1")" = "$(listing "$2.part")" ] || { echo "$2.part is not as $1 is"; exit 1; }
sync -f "$2.part"
[ ! -e "$2" ]
mv -T "$2.part" "$2"
"""


def copy_aside(directory: str, old_data: str, runbook: str, within_s: float) -> Change:
    """Copy the data aside, and compare the copy file by file: for a mount point, which can't be moved.

    Args:
        directory: The data directory, of which nothing may be in use.
        old_data: Where the copy goes; it is there only once it is whole.
        runbook: The runbook's name: the unit bears it.
        within_s: Seconds until the copy is ended.
    """
    words = ("bash", "-o", "errexit", "-o", "pipefail", "-c", _COPY_ASIDE, "copy", directory, old_data)
    says = f"copy {directory} to {old_data} and compare the two"
    return Change(
        (LongCommand(f"{runbook}-keep", words, within_s, says=says),), already=lambda shell: exists(shell, old_data)
    )


# With the half-built database go the units that built it: their results are about what is no more. The directory itself stays: it
# may be a mount point.
DISCARD = """
[ -d "$2" ] || { echo "the old data is not in $2: nothing is discarded"; exit 17; }
systemctl stop "openstack-runbooks-$3-*.service"
systemctl reset-failed "openstack-runbooks-$3-*.service" 2>/dev/null || :
[ ! -d "$1" ] || find "$1" -xdev -mindepth 1 -delete
"""


def create_new_directory(
    directory: str, old_data: str, owner: int, labelled: bool, rebuild: bool, runbook: str
) -> Change:
    """Make the new directory as documented.

    Args:
        directory: The data directory.
        old_data: Where the old data is; nothing is discarded unless it is there.
        owner: Numeric user and group.
        labelled: Whether the host labels files for SELinux.
        rebuild: Discard what an earlier attempt of this runbook has built.
        runbook: Its name: the units that built it bear it.
    """
    discard = script(DISCARD, directory, old_data, runbook, timeout_s=600)
    commands = [
        Command(("mkdir", "-p", directory)),
        Command(("chown", f"{owner}:{owner}", directory)),
        Command(("chmod", "0755", directory)),
    ]
    if labelled:
        # chcon -t alone refuses a directory that has no label yet: give it the whole context at once.
        commands.append(Command(("chcon", LABEL, directory)))
    return Change(
        tuple([discard, *commands] if rebuild else commands),
        already=None if rebuild else lambda shell: _is_made(shell, directory, owner, labelled),
    )


def _is_made(shell: Shell, directory: str, owner: int, labelled: bool) -> bool:
    seen = shell.run(question("stat", "-c", "%u:%g %a %C", directory, ok=(0, 1))).text
    wanted = rf"{owner}:{owner} 755 " + (re.escape(LABEL) if labelled else r".*")
    return re.fullmatch(wanted, seen) is not None
