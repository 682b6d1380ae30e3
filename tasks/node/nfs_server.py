"""An NFS server: what it exports, and what the role must not take away."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from blocks.remote.command import question, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait

EXPORTS = "/etc/exports"
_KEPT = f"{EXPORTS}.before-openstack-runbooks"
_EXPORTED = "exported"
_ROLES_OPTIONS = "(rw,sync,no_root_squash,no_subtree_check)"

_KEEP = """
[ -e "$1" ] || exit 0
[ -e "$2" ] || cp -a -- "$1" "$2.part"
[ -e "$2" ] || mv -T -- "$2.part" "$2"
"""


def keep_exports() -> Change:
    """Keep a copy of /etc/exports until `restore_exports`; the copy of a run that was cut short is the older one, and stays."""
    return Change(
        (script(_KEEP, EXPORTS, _KEPT, says=f"keep a copy of {EXPORTS}"),),
        already=lambda shell: shell.run(question("test", "-e", _KEPT, ok=(0, 1))).exit_code == 0,
    )


# Line by line: the role replaces what stands between its marks, which may be another folder's, or the whole file. What the role
# itself has written for the folder earlier is its own to replace.
_LOST = """
lost() {
  while IFS= read -r line; do
    case $line in '' | '#'* | "$folder "*"$options") continue ;; esac
    grep -qxF -e "$line" "$exports" 2>/dev/null || printf '%s\\n' "$line"
  done <"$kept"
}
exports=$1 kept=$2 folder=$3 options=$4
"""
_ASK_LOST = f'{_LOST}[ ! -e "$kept" ] || lost\n'
_RESTORE = f"""{_LOST}
[ -e "$kept" ] || exit 0
missing=$(lost)
if [ -n "$missing" ]; then
  [ -z "$(tail -c 1 "$exports")" ] || echo >>"$exports"
  printf '%s\\n' "$missing" >>"$exports"
  systemctl reload nfs-server
fi
rm -f -- "$kept"
"""


def restore_exports(folder: str) -> Change:
    """Put back into /etc/exports the lines of before that the role has taken away, and drop the copy.

    Args:
        folder: The store's: what the role has written for it earlier is not put back.
    """
    arguments = (EXPORTS, _KEPT, folder, _ROLES_OPTIONS)

    def findings(_: Shell) -> list[str]:
        return [f"the role had taken away from {EXPORTS}, and it was put back: {line}" for line in lost]

    lost: list[str] = []

    def already(shell: Shell) -> bool:
        lost[:] = shell.run(script(_ASK_LOST, *arguments, quiet=True, changes=False)).stdout.splitlines()
        return shell.run(question("test", "-e", _KEPT, ok=(0, 1))).exit_code == 1

    return Change(
        (script(_RESTORE, *arguments, says=f"put back what the role has taken away from {EXPORTS}"),),
        already=already,
        findings_after=findings,
    )


def parse_exports(text: str) -> dict[str, set[str]]:
    """Read `exportfs -s`: folder → those to whom it is exported for reading and writing."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        row = re.match(r"^(/\S*)\s+(\S+?)\(([^)]*)\)", line)
        if row and "rw" in row[3].split(","):
            found.setdefault(row[1], set()).add(row[2])
    return found


def is_exported(shell: Shell, folder: str, networks: Sequence[str]) -> bool:
    """Whether the server exports a folder to all of these networks; not where there is no server."""
    said = shell.run(script("type -P exportfs >/dev/null || exit 0; exec exportfs -s", quiet=True, changes=False))
    return set(networks) <= parse_exports(said.stdout).get(folder, set())


def check_exported(folder: str, networks: Sequence[str]) -> Change:
    """Wait until the server exports a folder to networks.

    Args:
        folder: The folder.
        networks: As address/prefix.
    """

    def look(shell: Shell) -> str:
        there = parse_exports(shell.run(question("exportfs", "-s")).stdout).get(folder, set())
        missing = [network for network in networks if network not in there]
        return f"not exported to {', '.join(missing)}" if missing else _EXPORTED

    hint = f"see {EXPORTS}, `exportfs -s` and `systemctl status nfs-server`"
    return Change((), until=Wait(f"{folder} on the NFS server", _EXPORTED, look, 60, hint))


def close_folder(folder: str) -> Change:
    """Let nobody but root into the folder of the images: these hold every password of the site. ReaR writes as root.

    Args:
        folder: The folder; the role makes it open to everybody.
    """
    return Change(
        (script('chmod 700 "$1"; chown root:root "$1"', folder, says=f"let nobody but root into {folder}"),),
        already=lambda shell: shell.run(question("stat", "-c", "%a", folder)).text == "700",
    )


def outside(address: str, networks: Sequence[str]) -> bool:
    """Whether an address is in none of these networks; a name is not looked up, and counts as inside."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not any(parsed in ipaddress.ip_network(network) for network in networks)
