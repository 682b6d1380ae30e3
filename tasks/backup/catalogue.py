"""The catalogue of a site's backup sets: each sealed and each removed set is an entry, and each entry names the one before.

An entry is a file of its own, `catalogue/00000007.json`, one line, never changed. It holds the SHA-256 of the set's manifest and
that of the entry before it. So a manifest that was changed or taken away by hand is found, and so is an entry. (That the
latest entries were taken away together with their sets is not found from within: every run's report says how many entries
there were.) Sets are ordered by their entries, and by no clock.

`docs/schemas/catalogue-entry.schema.json` is made from `Entry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from blocks.constraints import SiteName
from blocks.remote.errors import RunbookError
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import Kind, Manifest, SetId, Sha256, Strict, UtcTime, sha256_of
from tasks.backup.records import Record, verified_kinds


class SealedSet(Strict):
    """What the catalogue says of a set; the rest is in its manifest."""

    set_id: SetId = Field(description="RUNBOOK-CONTENT/STAMP-RUN: its path below the site's folder.")
    manifest_sha256: Sha256 = Field(description="SHA-256 of its manifest.")
    started: UtcTime = Field(description="When it was begun (UTC, the worker's clock).")
    size_bytes: int = Field(ge=0, description="Of all its files.")
    kinds: tuple[Kind, ...] = Field(description="Runbook, database and method of each backup in it.")
    depends_on: tuple[SetId, ...] = Field(default=(), description="Sets that are needed to restore it.")

    @classmethod
    def of(cls, manifest: Manifest) -> SealedSet:
        """What the catalogue says of a set with this manifest."""
        return cls(
            set_id=str(SetName.of_manifest(manifest)),
            manifest_sha256=sha256_of(manifest.text),
            started=manifest.started,
            size_bytes=manifest.size_bytes,
            kinds=tuple(sorted(manifest.kinds)),
            depends_on=manifest.depends_on,
        )


class Entry(Strict):
    """One entry of the catalogue."""

    format: Literal[1] = Field(default=1, description="Version of this format.")
    number: int = Field(ge=1, description="Its place; the first is 1.")
    previous: Sha256 | None = Field(description="SHA-256 of the entry before it; null for the first.")
    site: SiteName = Field(description="The site.")
    event: Literal["begun", "sealed", "found", "removed"] = Field(
        description="begun: the catalogue itself. found: a sealed set of a run that was killed before it could tell."
    )
    at: UtcTime = Field(description="When (UTC, the worker's clock).")
    run_id: UUID | None = Field(description="Prefect's id of the flow run that wrote it; null: somebody has, by hand.")
    sealed: SealedSet | None = Field(default=None, description="The set, where one was sealed or found.")
    removed: SetId | None = Field(default=None, description="The set that was removed.")
    reason: str = Field(default="", description="Why it was removed.")

    @property
    def text(self) -> str:
        """The entry as it lies on the store: one line."""
        return self.model_dump_json() + "\n"

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"{self.number:08d}.json"


@dataclass(frozen=True)
class StoredSet:
    """A set that the catalogue knows.

    Attributes:
        name: Its name.
        number: Its place in the catalogue: what comes later has a greater one.
        sealed: What the catalogue says of it.
        records: What came later, the earliest first; none where one of them can't be read.
        next_record: Name of the file that the next one will be.
        problem: What is wrong with it; empty where nothing is. A set with a problem counts for nothing, and stays.
        gone: Whether that is that it is gone.
    """

    name: SetName
    number: int
    sealed: SealedSet
    records: tuple[Record, ...] = ()
    next_record: str = "0001.json"
    problem: str = ""
    gone: bool = False

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of backup that it is."""
        return frozenset(self.sealed.kinds)

    @property
    def verified(self) -> frozenset[Kind]:
        """Those of them that were restored and compared, without a difference."""
        return verified_kinds(self.kinds, self.records)


@dataclass(frozen=True)
class Catalogue:
    """What is on a store of one site.

    Attributes:
        site: The site's name.
        entries: Those that can be read, in order.
        last_number: The number of the latest entry, read or not.
        last_sha256: The SHA-256 of the latest entry as it lies there; None where there is none.
        sets: Those that were sealed and not removed, in the order of the catalogue.
        problems: What is wrong with the catalogue itself.
        unlisted: Sealed sets that it does not know: their runs were killed a moment too early, or somebody put them there.
        partial: Sets that are being written, or were when their run was killed.
        removing: Sets that are being removed, or were when a run was killed.
        records_of_removing: Their records, which stay.
    """

    site: str
    entries: tuple[Entry, ...] = ()
    last_number: int = 0
    last_sha256: str | None = None
    sets: tuple[StoredSet, ...] = ()
    problems: tuple[str, ...] = ()
    unlisted: tuple[SetName, ...] = ()
    partial: tuple[SetName, ...] = ()
    removing: tuple[SetName, ...] = ()
    records_of_removing: Mapping[SetName, tuple[Record, ...]] = field(default_factory=dict)

    @property
    def missing(self) -> bool:
        """Whether there are sets, and no catalogue of them."""
        return not self.last_number and bool(self.unlisted)

    def find(self, set_id: str) -> StoredSet:
        """Return a set by its id, or by the beginning of its stamp where no other begins so.

        Raises:
            RunbookError: There is none, or more than one.
        """
        found = [each for each in self.sets if str(each.name) == set_id or each.name.stamp.startswith(set_id)]
        if len(found) == 1:
            return found[0]
        said = f"{len(found)} sets are called so" if found else f"site {self.site} has no such set"
        raise RunbookError(f"{set_id}: {said}", "`python -m deployments backups list` lists all of them")

    def newest_verified(self, kind: Kind, before: datetime | None = None) -> StoredSet | None:
        """Return the latest sound set whose backup of this kind is verified; None where there is none.

        Args:
            kind: The kind.
            before: It was begun before this time (UTC).
        """
        found = (stored for stored in reversed(self.sets) if kind in stored.verified and not stored.problem)
        return next((stored for stored in found if before is None or stored.sealed.started < before), None)

    def next_entry(
        self, event: Literal["begun", "sealed", "found", "removed"], at: datetime, run_id: UUID | None
    ) -> Entry:
        """Make the next entry, to be completed with the set."""
        return Entry(
            number=self.last_number + 1,
            previous=self.last_sha256,
            site=self.site,
            event=event,
            at=at,
            run_id=run_id,
        )
