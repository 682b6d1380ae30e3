"""How much room a backup will want on its store, as far as anybody can say beforehand."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tasks.backup.catalogue import StoredSet
from tasks.backup.manifest import Kind

# Data grows, and how well it can be compressed changes.
_MARGIN = 1.25
_LATEST = 3


def expected_bytes(sets: Sequence[StoredSet], kinds: Collection[Kind], data_bytes: int) -> int:
    """Estimate the size of the next set.

    Args:
        sets: The sets of the catalogue, in its order.
        kinds: The kinds of backup that the next one will be.
        data_bytes: Size of the data directory, on the host that is backed up.

    Returns:
        A quarter more than the largest of the latest sets of the same kinds. Where there is none, the size of the data for each
        kind, as if nothing of it could be compressed.
    """
    alike = [stored.sealed.size_bytes for stored in sets if stored.kinds >= set(kinds)]
    if alike:
        return round(_MARGIN * max(alike[-_LATEST:]))
    return data_bytes * len(kinds)
