"""Where a backup set lies on its store, and the shell that makes it complete or absent.

    ROOT/SITE/RUNBOOK-CONTENT/2026-11-27T01-30-00Z-1a2b3c4d/      a sealed set
    ROOT/SITE/RUNBOOK-CONTENT/2026-11-27T01-30-00Z-1a2b3c4d.records/   what came later (`tasks.backup.records`)
    ROOT/SITE/RUNBOOK-CONTENT/.2026-11-27T01-30-00Z-1a2b3c4d.partial/  one that is being written: `lock` and `set/`
    ROOT/SITE/RUNBOOK-CONTENT/.2026-11-27T01-30-00Z-1a2b3c4d.removed/  one that is being removed
    ROOT/SITE/catalogue/                                          `tasks.backup.catalogue`

A run that writes here holds the lock of the store's host (`tasks.engine.locks`), so that nobody else's run is at work there. What
may outlive its run is a process that still receives. It holds `lock` of its set, and so a set is a killed run's leftover
exactly where nobody holds that: no clock is read, of no machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from tasks.backup.manifest import Manifest

AT_WORK = 75
IS_THERE = 73
DAMAGED = 65

_STAMP = "%Y-%m-%dT%H-%M-%SZ"
_RUN_DIGITS = 8

# Removes what killed runs have left, and makes room for a new set. Prints `removed` or `at work` with each path.
BEGIN = f"""
root=$1 site=$2 folder=$3 name=$4
umask 077
install -d -m 700 "$root/$site" "$root/$site/$folder"
cd "$root/$site" || exit
for partial in */.*.partial; do
  [ -d "$partial" ] || continue
  exec 9>>"$partial/lock"
  if flock -w 2 9; then
    rm -rf --one-file-system -- "$partial"
    printf 'removed\\t%s\\n' "$partial"
  else
    printf 'at work\\t%s\\n' "$partial"
  fi
  exec 9>&-
done
cd "$folder" || exit
if [ -e "$name" ] || [ -e ".$name.partial" ]; then
  echo "$name is there already" >&2
  exit {IS_THERE}
fi
mkdir -p ".$name.partial/set"
: > ".$name.partial/lock"
"""

# Receives one file on standard input. Its size and SHA-256 are those of what was written, and are printed once it is on the
# disk. tee goes on after an error of its own, and pipefail tells of it. Both locks are inherited by tee: as long as that
# lives, somebody is at work. A receiver whose connection was lost ends by itself, and a second try waits for it. What is left
# of the arguments goes before tee: ionice.
RECEIVE = f"""
folder=$1 name=$2 recipient=$3 patience=$4
shift 4
umask 077
cd "$folder/set" || exit
exec 9>>../lock
flock -n -s 9 || {{ echo "$folder is being removed" >&2; exit {AT_WORK}; }}
exec 8>>".$name.new"
flock -w "$patience" 8 || {{ echo "somebody else receives $name" >&2; exit {AT_WORK}; }}
encrypt=(cat)
[ -z "$recipient" ] || encrypt=(age -r "$recipient")
sum=$("${{encrypt[@]}}" | "$@" tee -- ".$name.new" | sha256sum)
sync ".$name.new"
mv -T -- ".$name.new" "$name"
sync .
printf '%s\\t%s\\n' "$(stat -c %s -- "$name")" "$(printf '%s' "$sum" | cut -d ' ' -f 1)"
"""

# Seals a set: the manifest comes on standard input, then as arguments each file's name and size. A second try finds its work
# done.
SEAL = f"""
parent=$1 name=$2 size=$3 sum=$4
shift 4
umask 077
cd "$parent" || exit
whole() {{ printf '%s  %s\\n' "$sum" "$1" | sha256sum --check --status 2>/dev/null; }}
if [ -e "$name" ]; then
  whole "$name/manifest.json" && {{ cat > /dev/null; exit 0; }}
  echo "$name is there already, and is another set" >&2
  exit {IS_THERE}
fi
set=".$name.partial/set"
count=0
while [ "$#" != 0 ]; do
  if [ "$(stat -c %s -- "$set/$1" 2>/dev/null)" != "$2" ]; then
    echo "$name: $1 is not there with its $2 bytes" >&2
    exit {DAMAGED}
  fi
  count=$((count + 1))
  shift 2
done
cat > "$set/manifest.json"
if [ "$(stat -c %s "$set/manifest.json")" != "$size" ] || ! whole "$set/manifest.json"; then
  rm -f "$set/manifest.json"
  echo "$name: the manifest did not arrive whole" >&2
  exit {DAMAGED}
fi
if [ "$(find "$set" -mindepth 1 -print | wc -l)" != "$((count + 1))" ]; then
  rm -f "$set/manifest.json"
  echo "$name: there are files that the manifest does not tell of" >&2
  exit {DAMAGED}
fi
sync "$set/manifest.json" "$set"
mv -T -- "$set" "$name"
sync .
rm -rf -- ".$name.partial"
"""


@dataclass(frozen=True, order=True)
class SetName:
    """The name of a set.

    Attributes:
        folder: RUNBOOK-CONTENT.
        stamp: When it was begun (UTC) and the beginning of its run's id: `2026-11-27T01-30-00Z-1a2b3c4d`.
    """

    folder: str
    stamp: str

    @classmethod
    def of(cls, runbook: str, content: str, started: datetime, run_id: object) -> Self:
        """Name the set of a run.

        Args:
            runbook: The runbook's name.
            content: What of the site it holds (`database`).
            started: When it was begun.
            run_id: Prefect's id of the flow run.
        """
        return cls(f"{runbook}-{content}", f"{started.astimezone(UTC):{_STAMP}}-{str(run_id)[:_RUN_DIGITS]}")

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> Self:
        """The name of the set that a manifest is of."""
        return cls.of(manifest.runbook, manifest.content, manifest.started, manifest.run_id)

    @classmethod
    def parse(cls, set_id: str) -> Self:
        """Read what `str` writes."""
        folder, _, stamp = set_id.partition("/")
        return cls(folder, stamp)

    def __str__(self) -> str:
        """The set's id, as operators type it: its path below the site's folder."""
        return f"{self.folder}/{self.stamp}"

    @property
    def records(self) -> str:
        """Where what came later lies, below the site's folder."""
        return f"{self.folder}/{self.stamp}.records"

    @property
    def partial(self) -> str:
        """Where it lies while it is written, below the site's folder."""
        return f"{self.folder}/.{self.stamp}.partial"

    @property
    def removed(self) -> str:
        """Where it lies while it is removed, below the site's folder."""
        return f"{self.folder}/.{self.stamp}.removed"


@dataclass(frozen=True)
class Received:
    """A file as it has arrived.

    Attributes:
        size_bytes: What was written.
        sha256: Of what was written.
    """

    size_bytes: int
    sha256: str


def parse_received(text: str) -> Received:
    """Read what `RECEIVE` prints last."""
    size, sha256 = text.strip().splitlines()[-1].split("\t")
    return Received(int(size), sha256)
