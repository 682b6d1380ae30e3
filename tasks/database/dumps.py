"""The files of a dump and of its grants on a host: both their ends, where they lie, and their copies for the database."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from blocks.remote.command import command, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change

_PACKED = {
    b"\x1f\x8b": "gunzip",
    b"\xfd7zXZ\x00": "unxz",
    b"\x28\xb5\x2f\xfd": "unzstd",
    b"BZh": "bunzip2",
    b"\x04\x22\x4d\x18": "unlz4",
    b"PK\x03\x04": "unzip",
}


@dataclass(frozen=True)
class File:
    """What a host says of a file.

    Attributes:
        path: Where.
        size: Bytes; -1 if it does not exist.
        modified: Seconds since the epoch.
        head: Its first 4 KiB.
        tail: Its last 4 KiB.
        magic: Its first bytes as they are.
    """

    path: str
    size: int
    modified: int
    head: str
    tail: str
    magic: bytes = b""

    @property
    def fingerprint(self) -> str:
        """What tells this file from another one under the same name, without reading it all."""
        return f"{self.path} {self.size} bytes of {self.modified}"

    @property
    def key(self) -> str:
        """The same in a word, for names."""
        return hashlib.sha256(self.fingerprint.encode()).hexdigest()[:12]


_READ = r"""
[ -f "$1" ] || { echo "-1 0"; exit 0; }
stat -L -c "%s %Y" "$1"; head -c 4096 "$1" | base64 -w0; echo; tail -c 4096 "$1" | base64 -w0
"""


def read_file(shell: Shell, path: str) -> File:
    """Look at both ends of a file."""
    lines = [*shell.run(script(_READ, path, quiet=True, changes=False)).stdout.splitlines(), "", ""]
    size, modified = lines[0].split()
    head, tail = (base64.b64decode(line) for line in lines[1:3])
    return File(path, int(size), int(modified), head.decode(errors="replace"), tail.decode(errors="replace"), head[:8])


# Where a directory of the file's path is one that goes, or lies below one, also by a bind mount, which has the same device and
# inode. Hard links are other files to a directory that is moved.
_LIES_IN = r"""
file=$(readlink -f -- "$1") || exit 0
shift
for gone in "$@"; do
  [ -d "$gone" ] || continue
  above=$file
  until [ "$above" = / ]; do
    above=$(dirname -- "$above")
    [ -z "$(find -H "$gone" -xdev -type d -samefile "$above" -print -quit)" ] || { echo "$gone"; exit 0; }
  done
done
"""


def lies_in(shell: Shell, path: str, *directories: str) -> str:
    """The first of these directories in which a file really lies, whatever links and mounts lead to it; empty for none."""
    return shell.run(script(_LIES_IN, path, *directories, quiet=True, changes=False)).text


def undecodable(file: File) -> tuple[str, str] | None:
    """What a file is in place of text in UTF-8, and what to do about it; None where it may be that."""
    for magic, program in _PACKED.items():
        if file.magic.startswith(magic):
            return "compressed", f"unpack it with `{program}`, and give the unpacked file"
    if file.magic[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in file.magic[:4]:
        return "not in UTF-8 but in UTF-16", "convert it with `iconv -f UTF-16 -t UTF-8`, and give the converted file"
    return None


def dump_copy(directory: str) -> str:
    """Where the copy of the dump lies that the container sees; another name than the grants', however both are called."""
    return f"{directory}/openstack-runbooks-dump.sql"


def grants_copy(directory: str) -> str:
    """Where the copy of the grants lies that the container sees."""
    return f"{directory}/openstack-runbooks-grants.sql"


def copy_in(directory: str, dump: str, grants: str = "", edit: str = "") -> Change:
    """Copy the files to where the container sees them, readable by root alone.

    Args:
        directory: The data directory.
        dump: The dump's path.
        grants: The grants' path; empty where the dump holds the accounts itself.
        edit: What sed changes in the copy of the grants.
    """
    copies = [command("install", "-m", "600", dump, dump_copy(directory), timeout_s=3600)]
    if grants:
        copies.append(command("install", "-m", "600", grants, grants_copy(directory), timeout_s=3600))
    if edit:
        copies.append(command("sed", "-i", edit, grants_copy(directory)))
    return Change(tuple(copies))


def remove_words(directory: str) -> tuple[str, ...]:
    """The words that remove the copies, which hold every row and every grant."""
    return ("rm", "-f", "--", dump_copy(directory), grants_copy(directory))
