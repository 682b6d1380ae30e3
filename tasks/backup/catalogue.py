"""The catalogue of a site's backup sets: each sealed and each removed set is an entry, and each entry names the one before.

An entry is a file of its own, `catalogue/00000007.json`, one line, never changed. It holds the SHA-256 of the set's manifest and
that of the entry before it. So a manifest that was changed or taken away by hand is found, and so is an entry. (That the
latest entries were taken away together with their sets is not found from within: every run's report says how many entries
there were.) Sets are ordered by their entries, and by no clock.

`docs/schemas/catalogue-entry.schema.json` is made from `Entry`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field, ValidationError

from blocks.constraints import SiteName
from blocks.remote.errors import RunbookError
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import SET_ID, Kind, Manifest, SetId, Sha256, Strict, UtcTime, sha256_of
from tasks.backup.records import Record, parse_record, verified_kinds

# One line for each thing that lies on the store below a site: what it is, its path, what is in it.
LIST = """
root=$1 site=$2
if [ ! -d "$root" ]; then
  echo "$root is not there: is the store mounted?" >&2
  exit 66
fi
cd "$root/$site" 2>/dev/null || exit 0
for file in catalogue/*.json */*.records/*.json; do
  [ -e "$file" ] || continue
  line=
  IFS= read -r line < "$file" || :
  printf 'file\\t%s\\t%s\\n' "$file" "$line"
done
for folder in */*/ */.*.partial/ */.*.removed/; do
  case $folder in *.records/) continue ;; esac
  [ -d "$folder" ] || continue
  sum=
  [ ! -e "${folder}manifest.json" ] || sum=$(sha256sum < "${folder}manifest.json")
  printf 'folder\\t%s\\t%s\\n' "${folder%/}" "${sum%% *}"
done
"""


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
        sets: Those that were sealed and not removed, in the order of the catalogue.
        problems: What is wrong with the catalogue itself.
        unlisted: Sealed sets that it does not know: their runs were killed a moment too early, or somebody put them there.
        partial: Sets that are being written, or were when their run was killed.
        removing: Sets that are being removed, or were when a run was killed.
    """

    site: str
    entries: tuple[Entry, ...] = ()
    sets: tuple[StoredSet, ...] = ()
    problems: tuple[str, ...] = ()
    unlisted: tuple[SetName, ...] = ()
    partial: tuple[SetName, ...] = ()
    removing: tuple[SetName, ...] = ()

    @property
    def missing(self) -> bool:
        """Whether there are sets, and no catalogue of them."""
        return not self.entries and bool(self.unlisted)

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

    def next_entry(
        self, event: Literal["begun", "sealed", "found", "removed"], at: datetime, run_id: UUID | None
    ) -> Entry:
        """Make the next entry, to be completed with the set."""
        last = self.entries[-1] if self.entries else None
        return Entry(
            number=last.number + 1 if last else 1,
            previous=sha256_of(last.text) if last else None,
            site=self.site,
            event=event,
            at=at,
            run_id=run_id,
        )


@dataclass
class _Listing:
    """What `LIST` prints, by paths."""

    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> _Listing:
        made = cls()
        for line in text.splitlines():
            what, path, rest = line.split("\t", 2)
            (made.files if what == "file" else made.folders)[path] = rest
        return made

    def names(self, ending: str = "") -> Iterator[SetName]:
        """The sets whose folder is hidden and has this ending; without one, those that are sealed. Other folders are nobody's."""
        for path in self.folders:
            folder, _, stamp = path.partition("/")
            if stamp.startswith(".") == bool(ending) and stamp.endswith(ending):
                name = SetName(folder, stamp[1 : -len(ending)] if ending else stamp)
                if re.match(SET_ID, str(name)):
                    yield name


def read_catalogue(listing: str, site: str) -> Catalogue:
    """Make sense of what lies on the store.

    Args:
        listing: What `LIST` prints.
        site: The site's name.
    """
    seen = _Listing.of(listing)
    problems: list[str] = []
    entries = tuple(_entries(seen.files, site, problems))
    removing = tuple(seen.names(".removed"))
    known: dict[str, tuple[int, SealedSet]] = {}
    for entry in entries:
        if entry.sealed is not None:
            known[entry.sealed.set_id] = (entry.number, entry.sealed)
        elif entry.removed is not None:
            known.pop(entry.removed, None)
    going = {str(name) for name in removing}
    sets = (_stored(SetName.parse(each), *known[each], seen) for each in known if each not in going)
    return Catalogue(
        site=site,
        entries=entries,
        sets=tuple(sets),
        problems=tuple(problems),
        unlisted=tuple(name for name in seen.names() if str(name) not in known),
        partial=tuple(seen.names(".partial")),
        removing=removing,
    )


def _entries(files: Mapping[str, str], site: str, problems: list[str]) -> Iterator[Entry]:
    """Read the chain; what is wrong with it is told, and the rest is read all the same."""
    before, expected = None, 1
    for path in sorted(path for path in files if path.startswith("catalogue/")):
        try:
            entry = Entry.model_validate_json(files[path])
        except ValidationError:
            problems.append(f"{path} can't be read: it was damaged, or written by another version of this project")
            continue
        if f"catalogue/{entry.file}" != path or entry.site != site:
            problems.append(f"{path} is entry {entry.number} of site {entry.site}, and does not belong there")
            continue
        if entry.number != expected:
            problems.append(f"{_range(expected, entry.number - 1)} missing from the catalogue")
        elif entry.previous != (sha256_of(before.text) if before else None):
            problems.append(f"{path} does not follow from the entry before it: one of them was changed")
        before, expected = entry, entry.number + 1
        yield entry


def _range(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


def _stored(name: SetName, number: int, sealed: SealedSet, seen: _Listing) -> StoredSet:
    paths = sorted(path for path in seen.files if re.fullmatch(rf"{re.escape(name.records)}/\d{{4}}\.json", path))
    records, problem = _records({path: seen.files[path] for path in paths})
    sha256 = seen.folders.get(str(name))
    if sha256 is None:
        problem = "it is gone, and no run has removed it"
    elif not sha256:
        problem = "its manifest is missing"
    elif sha256 != sealed.manifest_sha256:
        problem = "its manifest is not the one that was sealed"
    latest = int(paths[-1][-9:-5]) if paths else 0
    return StoredSet(name, number, sealed, records, f"{latest + 1:04d}.json", problem, gone=sha256 is None)


def _records(files: Mapping[str, str]) -> tuple[tuple[Record, ...], str]:
    """The records of a set in their order, and what is wrong with them."""
    try:
        return tuple(parse_record(text, path) for path, text in files.items()), ""
    except RunbookError as error:
        return (), error.message
