"""What lies on a store of one site: listed by its host, and made sense of here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from blocks.remote.errors import RunbookError
from tasks.backup.backup_set import SetName
from tasks.backup.catalogue import Catalogue, Entry, SealedSet, StoredSet
from tasks.backup.manifest import SET_ID, sha256_of
from tasks.backup.records import Record, parse_record

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
  [ ! -e "${folder}manifest.json" ] || sum=$(sha256sum < "${folder}manifest.json") || continue
  printf 'folder\\t%s\\t%s\\n' "${folder%/}" "${sum%% *}"
done
"""


@dataclass
class _Listing:
    """What `LIST` prints, by paths."""

    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> _Listing:
        made = cls()
        # What JSON leaves as it is would end a line for splitlines; a name with a tab or a newline is nobody's.
        for parts in (line.split("\t", 2) for line in text.split("\n")):
            if len(parts) == 3:
                (made.files if parts[0] == "file" else made.folders)[parts[1]] = parts[2]
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
    chain = _Chain(site)
    for path in sorted(path for path in seen.files if re.fullmatch(r"catalogue/\d{8}\.json", path)):
        chain.add(path, seen.files[path])
    removing = tuple(seen.names(".removed"))
    known: dict[str, tuple[int, SealedSet]] = {}
    for entry in chain.entries:
        if entry.sealed is not None:
            known[entry.sealed.set_id] = (entry.number, entry.sealed)
        elif entry.removed is not None:
            known.pop(entry.removed, None)
    going = {str(name) for name in removing}
    sets = (_stored(SetName.parse(each), *known[each], seen) for each in known if each not in going)
    return Catalogue(
        site=site,
        entries=tuple(chain.entries),
        last_number=chain.last_number,
        last_sha256=chain.last_sha256,
        sets=tuple(sets),
        problems=tuple(chain.problems),
        unlisted=tuple(name for name in seen.names() if str(name) not in known),
        partial=tuple(seen.names(".partial")),
        removing=removing,
        records_of_removing={name: _records(_record_files(name, seen))[0] for name in removing},
    )


@dataclass
class _Chain:
    """The entries, and what is wrong with them; those that can be read are read whatever the others are.

    An entry's checksum is that of its file: another version of this project may write the same entry otherwise.
    """

    site: str
    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    last_number: int = 0
    last_sha256: str | None = None

    def add(self, path: str, text: str) -> None:
        """Add the next file."""
        number = int(path[-13:-5])
        missing = number - self.last_number - 1
        if missing:
            numbers = f"entry {number - 1} is" if missing == 1 else f"entries {number - missing} to {number - 1} are"
            self.problems.append(f"{numbers} missing from the catalogue")
        try:
            entry = Entry.model_validate_json(text)
        except ValidationError:
            self.problems.append(f"{path} can't be read: it was damaged, or written by another version of this project")
        else:
            self._judge(path, number, entry, follows=bool(missing) or entry.previous == self.last_sha256)
        self.last_number, self.last_sha256 = number, sha256_of(f"{text}\n")

    def _judge(self, path: str, number: int, entry: Entry, follows: bool) -> None:
        if entry.number != number or entry.site != self.site:
            self.problems.append(f"{path} is entry {entry.number} of site {entry.site}, and does not belong there")
            return
        if not follows:
            self.problems.append(f"{path} does not follow from the entry before it: one of them was changed")
        self.entries.append(entry)


def _stored(name: SetName, number: int, sealed: SealedSet, seen: _Listing) -> StoredSet:
    files = _record_files(name, seen)
    records, problem = _records(files)
    sha256 = seen.folders.get(str(name))
    if sha256 is None:
        problem = "it is gone, and no run has removed it"
    elif not sha256:
        problem = "its manifest is missing"
    elif sha256 != sealed.manifest_sha256:
        problem = "its manifest is not the one that was sealed"
    latest = int(max(files)[-9:-5]) if files else 0
    return StoredSet(name, number, sealed, records, f"{latest + 1:04d}.json", problem, gone=sha256 is None)


def _record_files(name: SetName, seen: _Listing) -> dict[str, str]:
    paths = sorted(path for path in seen.files if re.fullmatch(rf"{re.escape(name.records)}/\d{{4}}\.json", path))
    return {path: seen.files[path] for path in paths}


def _records(files: Mapping[str, str]) -> tuple[tuple[Record, ...], str]:
    """The records of a set in their order, and what is wrong with them."""
    try:
        return tuple(parse_record(text, path) for path, text in files.items()), ""
    except RunbookError as error:
        return (), error.message
