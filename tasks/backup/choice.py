"""Which backup is restored: the newest that was verified, the newest before some time, or the one that is named."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime

from blocks.remote.errors import RunbookError
from tasks.backup.catalogue import Catalogue, StoredSet
from tasks.backup.manifest import Kind

LATEST_VERIFIED = "latest-verified"
# `latest-verified`, `before TIME`, an id, or the beginning of a stamp.
PATTERN = rf"^({LATEST_VERIFIED}|before .+|[a-z0-9/TZ:-]+)$"
_BEFORE = re.compile(r"before (.+)")
_LIST = "`python -m deployments backups list` lists all of them"


def choose(catalogue: Catalogue, wanted: str, kinds: Collection[Kind], unverified: bool) -> StoredSet:
    """Find the backup that is meant.

    Args:
        catalogue: What is on the store.
        wanted: `latest-verified`; `before TIME` (ISO 8601, UTC where it names no offset): the newest verified one that was begun
            before it; an id, or the beginning of a stamp.
        kinds: What can be restored: the backup is of one of these.
        unverified: Whether one that is called by its name may be restored though nobody has verified it.

    Raises:
        RunbookError: There is none; it is damaged, of another kind, or not verified.
    """
    before = _BEFORE.fullmatch(wanted)
    if wanted == LATEST_VERIFIED or before:
        return _newest(catalogue, kinds, _moment(before[1]) if before else None)
    stored = catalogue.find(wanted)
    if stored.problem:
        raise RunbookError(f"{stored.name}: {stored.problem}", "restore from another one")
    if not stored.kinds & set(kinds):
        raise RunbookError(
            f"{stored.name} holds {_listed(stored.kinds)}, and what can be restored is {_listed(kinds)}", _LIST
        )
    if not unverified and not stored.verified & set(kinds):
        raise RunbookError(
            f"{stored.name} is not verified: nobody knows whether it can be restored",
            f"verify it (`python -m deployments backups verify {stored.name.stamp}`), or set `unverified` to restore it as it is",
        )
    return stored


def _newest(catalogue: Catalogue, kinds: Collection[Kind], before: datetime | None) -> StoredSet:
    found = [stored for kind in kinds if (stored := catalogue.newest_verified(kind, before))]
    if not found:
        when = f" from before {before:%Y-%m-%d %H:%M} UTC" if before else ""
        raise RunbookError(f"site {catalogue.site} has no verified backup of {_listed(kinds)}{when}", _LIST)
    return max(found, key=lambda stored: stored.number)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise RunbookError(
            f"`before {text}` names no time",
            "write it like `before 2026-11-27T02:00`, in UTC. A set holds what was there when it was made: restoring to a point in "
            "time from binary logs is not what this runbook does",
        ) from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _listed(kinds: Collection[Kind]) -> str:
    return " or ".join(sorted(map(str, kinds)))
