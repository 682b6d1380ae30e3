"""The store of one site's backups: a directory on a host, reached through that host's shell.

Where the directory is mounted on another host (NFS), the same commands run there. Here it is read, and what is learnt of a set
later is put on record; `tasks.backup.writing` makes sets, `tasks.backup.removal` takes them away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blocks.remote.command import question, script
from blocks.remote.errors import CommandFailed, RunbookError
from blocks.remote.shell import Shell
from blocks.store import BackupStore
from tasks.backup.backup_set import AT_WORK, IS_THERE, SetName
from tasks.backup.catalogue import Catalogue, Entry, StoredSet
from tasks.backup.listing import LIST, read_catalogue
from tasks.backup.manifest import MANIFEST, Manifest, parse_manifest, sha256_of
from tasks.backup.records import Record, write_record

# Somebody who adds an entry or a record at the same moment takes the number; then the next one is tried.
_TRIES = 5
# What a slow disk reads; the check of a large set may take as long as that says.
_SLOWEST_BYTES_PER_S = 10_000_000

# Adds one file to those that are numbered and never changed: an entry of the catalogue, a record. It comes on standard input;
# a second try finds its work done. `needed` is what it is about, and must be there.
_ADD = f"""
base=$1 needed=$2 folder=$3 name=$4 size=$5 sum=$6
umask 077
whole() {{ printf '%s  %s\\n' "$sum" "$1" | sha256sum --check --status 2>/dev/null; }}
cd "$base" || exit
exec 9>>.lock
flock -w 30 9 || {{ echo "somebody else has been writing to the store for 30 s" >&2; exit {AT_WORK}; }}
[ -e "$needed" ] || {{ echo "$needed is not there (any more)" >&2; exit 66; }}
install -d -m 700 "$folder"
if [ -e "$folder/$name" ]; then
  whole "$folder/$name" && {{ cat > /dev/null; exit 0; }}
  exit {IS_THERE}
fi
cat > "$folder/.new"
if [ "$(stat -c %s "$folder/.new")" != "$size" ] || ! whole "$folder/.new"; then
  rm -f "$folder/.new"
  echo "$folder/$name did not arrive whole" >&2
  exit 65
fi
sync "$folder/.new"
mv -T "$folder/.new" "$folder/$name"
sync "$folder" "$(dirname "$folder")"
"""

# One line for each file of a set: its size and, where they are wanted, its SHA-256; then its name.
_FILES = """
cd "$1" || exit
for file in * .[!.]*; do
  [ -e "$file" ] || continue
  sum=-
  [ "$2" != sums ] || sum=$(sha256sum < "$file")
  printf '%s\\t%s\\t%s\\n' "$(stat -c %s -- "$file")" "${sum%% *}" "$file"
done
"""


class Store:
    """The backups of one site.

    Args:
        shell: The host whose directory it is, or on which it is mounted.
        settings: Where it is, and how backups are kept there.
        site: The site's name.

    Attributes:
        base: The site's folder.
    """

    def __init__(self, shell: Shell, settings: BackupStore, site: str) -> None:
        self.shell, self.settings, self.site = shell, settings, site
        self.base = f"{settings.path}/{site}"

    def catalogue(self) -> Catalogue:
        """Read what is there; one question, whatever is there.

        Raises:
            HostError: The host can't be reached, or has no such directory (is it mounted?).
        """
        asked = script(LIST, self.settings.path, self.site, says="list the backups", quiet=True, changes=False)
        return read_catalogue(self.shell.run(asked).stdout, self.site)

    def free_bytes(self) -> int:
        """What is free on the store."""
        asked = question("df", "-B", "1", "--output=avail", self.settings.path)
        return int(self.shell.run(asked).stdout.split()[-1])

    def manifest(self, stored: StoredSet) -> Manifest:
        """Read the manifest of a set, as it was sealed.

        Raises:
            RunbookError: It is missing, was changed, or can't be read.
        """
        where = f"{self.base}/{stored.name}/{MANIFEST}"
        try:
            text = self.shell.run(question("cat", where)).stdout
        except CommandFailed as error:
            raise RunbookError(f"{self.shell.name}: {where} can't be read: {error.output.strip()}") from error
        if sha256_of(text) != stored.sealed.manifest_sha256:
            raise RunbookError(
                f"{self.shell.name}: {where} is not the manifest that was sealed",
                "somebody or something has changed it; restore from another set",
            )
        return parse_manifest(text, where)

    def check_files(self, name: SetName, manifest: Manifest, *, sums: bool) -> list[str]:
        """Compare the files of a set with its manifest.

        Args:
            name: The set.
            manifest: What its files should be.
            sums: Whether they are read whole for their checksums; else sizes alone are compared.

        Returns:
            What is missing, changed or too much.
        """
        limit_s = 60 + manifest.size_bytes / _SLOWEST_BYTES_PER_S if sums else 60.0
        arguments = (f"{self.base}/{name}", "sums" if sums else "sizes")
        says = f"read the files of {name}"
        asked = script(_FILES, *arguments, says=says, quiet=True, changes=False, timeout_s=limit_s)
        lines = (line.split("\t", 2) for line in self.shell.run(asked).stdout.split("\n"))
        seen = {parts[2]: (parts[0], parts[1]) for parts in lines if len(parts) == 3}
        return list(_compare(manifest, seen))

    def record(self, name: SetName, record: Record) -> None:
        """Put something on record of a set. Needs no lock of the host: any number of people may do so at a time.

        Raises:
            RunbookError: The set is gone.
        """
        text = write_record(record)
        for _ in range(_TRIES):
            stored = self.catalogue().find(str(name))
            if self._add(str(name), name.records, stored.next_record, text):
                return
        raise RunbookError(f"{self.shell.name}: others keep putting something on record of {name}", "try again")

    def add_entry(self, make: Callable[[Catalogue], Entry | None]) -> None:
        """Add an entry to the catalogue.

        Args:
            make: Makes it from the catalogue as it is, again where somebody else was faster; None: it is there already.
        """
        for _ in range(_TRIES):
            entry = make(self.catalogue())
            if entry is None or self._add(".", "catalogue", entry.file, entry.text):
                return
        raise RunbookError(f"{self.shell.name}: others keep writing to the catalogue", "try again")

    def _add(self, needed: str, folder: str, name: str, text: str) -> bool:
        """Add a file; whether its number was free."""
        size = str(len(text.encode()))
        done = self.shell.run(
            script(
                _ADD,
                self.base,
                needed,
                folder,
                name,
                size,
                sha256_of(text),
                stdin=text,
                stdin_is=name,
                says=f"write {folder}/{name}",
                quiet=True,
                ok=(0, IS_THERE),
            )
        )
        return done.exit_code == 0


def _compare(manifest: Manifest, seen: dict[str, tuple[str, str]]) -> Sequence[str]:
    wrong = []
    for file in manifest.files:
        size, sha256 = seen.get(file.name, ("", "-"))
        if not size:
            wrong.append(f"{file.name} is missing")
        elif int(size) != file.size_bytes:
            wrong.append(f"{file.name} has {size} bytes instead of {file.size_bytes}")
        elif sha256 not in ("-", file.sha256):
            wrong.append(f"{file.name} was changed: its checksum is another")
    known = {MANIFEST, *(file.name for file in manifest.files)}
    return [*wrong, *(f"{name} is none of its files" for name in sorted(set(seen) - known))]
