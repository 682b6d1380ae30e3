"""How a set goes: out of sight first, then its files, then onto the record.

Whatever is cut short in between is seen by what it has left: a set that was put aside is gone on with by the next run.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from uuid import UUID

from blocks.remote.command import Command, command, script
from blocks.remote.errors import RunbookError
from tasks.backup.backup_set import AT_WORK, SetName
from tasks.backup.catalogue import Catalogue, Entry, StoredSet
from tasks.backup.store import Store

_DELETE_S = 3600.0

# Takes sets out of sight: of each its path, the one that it gets, and the record that was not there when its records were read.
# With that there, somebody has put something on record of it meanwhile: a pin.
_PUT_ASIDE = f"""
cd "$1" || exit
shift
exec 9>>.lock
flock -w 30 9 || {{ echo "somebody else has been writing to the store for 30 s" >&2; exit {AT_WORK}; }}
while [ "$#" != 0 ]; do
  set=$1 aside=$2 record=$3
  shift 3
  [ ! -e "$aside" ] || continue
  if [ -e "$record" ]; then
    echo "something was put on record of $set since it was looked at" >&2
    exit {AT_WORK}
  fi
  mv -T -- "$set" "$aside"
  sync "$(dirname "$set")"
done
"""

# Removes what a run has left half written, unless somebody still receives it; of a set that was sealed nothing is left there.
_ABANDON = f"""
cd "$1" 2>/dev/null || exit 0
[ -d "$2" ] || exit 0
exec 9>>"$2/lock"
flock -w 20 9 || {{ echo "$2 is still being written" >&2; exit {AT_WORK}; }}
rm -rf --one-file-system -- "$2"
"""


def abandon_words(store: Store, name: SetName) -> tuple[str, ...]:
    """The words that remove a set which is half written, for the cleanup of the run that writes it."""
    return ("bash", "-o", "errexit", "-c", _ABANDON, "abandon", store.base, name.partial)


def put_aside(store: Store, sets: Iterable[StoredSet]) -> Command:
    """Make the command that takes sets out of sight. It stops at one of which something was put on record meanwhile."""
    words = [(str(each.name), each.name.removed, f"{each.name.records}/{each.next_record}") for each in sets]
    return script(_PUT_ASIDE, store.base, *chain.from_iterable(words), says="put backups aside")


def delete(store: Store, names: Iterable[SetName]) -> Command:
    """Make the command that deletes the files of sets that were put aside; their empty folders say that they were there."""
    folders = (f"{store.base}/{name.removed}" for name in names)
    words = ("find", *folders, "-mindepth", "1", "-xdev", "-delete")
    return command(*words, timeout_s=_DELETE_S, says="delete backups")


def record_removal(store: Store, name: SetName, reason: str, run_id: UUID, at: datetime) -> None:
    """Put into the catalogue that a set is gone, and let go of its empty folder. May be done again.

    Args:
        store: The store.
        name: A set whose files were deleted.
        reason: Why.
        run_id: Prefect's id of this flow run.
        at: The time (UTC).
    """
    _add_removal(store, name, reason, run_id, at)
    folder = f"{store.base}/{name.removed}"
    store.shell.run(script('[ ! -e "$1" ] || rmdir -- "$1"', folder, says=f"let go of {folder}", quiet=True))


def forget(store: Store, stored: StoredSet, reason: str, at: datetime) -> None:
    """Put into the catalogue that a set is gone which no run has removed: somebody knows why.

    Args:
        store: The store.
        stored: The set.
        reason: Why it is gone, and who says so.
        at: The time (UTC).

    Raises:
        RunbookError: It is there.
    """
    if not stored.gone:
        raise RunbookError(
            f"{stored.name} is there",
            "what nobody wants any more, prune-backups removes; what is damaged, move away first",
        )
    _add_removal(store, stored.name, reason, None, at)


def _add_removal(store: Store, name: SetName, reason: str, run_id: UUID | None, at: datetime) -> None:
    def entry(catalogue: Catalogue) -> Entry | None:
        if any(each.removed == str(name) for each in catalogue.entries):
            return None
        made = catalogue.next_entry("removed", at, run_id)
        return made.model_copy(update={"removed": str(name), "reason": reason})

    store.add_entry(entry)
