"""How a set goes: out of sight first, then its files, then onto the record.

Whatever is cut short in between is seen by what it has left: a set that was put aside is gone on with by the next run.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from blocks.remote.command import Command, command, script
from tasks.backup.backup_set import AT_WORK, SetName
from tasks.backup.catalogue import Catalogue, Entry, StoredSet
from tasks.backup.store import Store

_DELETE_S = 3600.0

# Takes a set out of sight, unless something was put on record of it since its records were read: a pin.
# `next` is the record that was not there then.
_PUT_ASIDE = f"""
base=$1 set=$2 aside=$3 next=$4
cd "$base"
exec 9>>.lock
flock -w 30 9 || {{ echo "somebody else has been writing to the store for 30 s" >&2; exit {AT_WORK}; }}
[ -e "$set" ] || {{ [ -e "$aside" ] && exit 0; echo "$set is not there (any more)" >&2; exit 66; }}
if [ -e "$set.records/$next" ]; then
  echo "something was put on record of $set since it was looked at" >&2
  exit {AT_WORK}
fi
mv -T -- "$set" "$aside"
sync "$(dirname "$set")"
"""


def put_aside(store: Store, stored: StoredSet) -> Command:
    """Make the command that takes a set out of sight, unless something was put on record of it meanwhile."""
    name = stored.name
    arguments = (store.base, str(name), name.removed, stored.next_record)
    return script(_PUT_ASIDE, *arguments, says=f"put {name} aside")


def delete(store: Store, name: SetName) -> Command:
    """Make the command that deletes the files of a set that was put aside; the empty folder says that it was there."""
    words = ("find", f"{store.base}/{name.removed}", "-mindepth", "1", "-xdev", "-delete")
    return command(*words, timeout_s=_DELETE_S, says=f"delete {name}")


def record_removal(store: Store, name: SetName, reason: str, run_id: UUID, at: datetime) -> None:
    """Put into the catalogue that a set is gone, and let go of its empty folder. May be done again.

    Args:
        store: The store.
        name: A set whose files were deleted.
        reason: Why.
        run_id: Prefect's id of this flow run.
        at: The time (UTC).
    """

    def entry(catalogue: Catalogue) -> Entry | None:
        if any(each.removed == str(name) for each in catalogue.entries):
            return None
        made = catalogue.next_entry("removed", at, run_id)
        return made.model_copy(update={"removed": str(name), "reason": reason})

    store.add_entry(entry)
    folder = f"{store.base}/{name.removed}"
    store.shell.run(script('[ ! -e "$1" ] || rmdir -- "$1"', folder, says=f"let go of {folder}", quiet=True))
