"""Images on the store: which are there, how large they are, and how they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.command import Command, script
from blocks.remote.shell import Shell
from tasks.rear.images import SUMS

# A directory that ReaR has made without this project's name for it is none of ours.
_LIST = """
sums=$2
cd "$1" 2>/dev/null || exit 0
shift 2
for host in "$@"; do
  for run in "$host"/[0-9]*T[0-9]*Z; do
    [ -d "$run" ] || continue
    state=open
    [ ! -s "$run/$sums" ] || state=whole
    printf '%s\\t%s\\t%s\\n' "$run" "$(du -s -B 1 -- "$run" | cut -f 1)" "$state"
  done
done
"""
# One that is gone already is no error: a run that was killed has begun.
_REMOVE = """
cd "$1" 2>/dev/null || exit 0
shift
for image in "$@"; do
  [ ! -d "$image" ] || rm -rf --one-file-system -- "$image"
  [ ! -d "${image%/*}" ] || sync "${image%/*}"
done
"""


@dataclass(frozen=True)
class StoredImage:
    """An image on the store.

    Attributes:
        path: HOST/RUN, below the directory of the images.
        size_bytes: What it takes.
        whole: Whether it was once seen to be whole.
    """

    path: str
    size_bytes: int
    whole: bool


def list_stored(store: Shell, root: str, hosts: Sequence[str]) -> list[StoredImage]:
    """Ask the store which images of some hosts it has.

    Args:
        store: The store's host.
        root: The directory that holds the hosts' folders.
        hosts: The hosts, as ReaR calls them.
    """
    asked = script(_LIST, root, SUMS, *hosts, quiet=True, changes=False, timeout_s=300, says="list the images")
    rows = (line.split("\t") for line in store.run(asked).stdout.splitlines())
    return [StoredImage(path, int(size), state == "whole") for path, size, state in rows]


def remove(root: str, images: Sequence[str]) -> Command:
    """Make the command that removes images from the store.

    Args:
        root: The directory that holds the hosts' folders.
        images: HOST/RUN of each.
    """
    return script(_REMOVE, root, *images, timeout_s=3600, says="remove images")
