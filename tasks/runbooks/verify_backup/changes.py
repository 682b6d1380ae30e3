"""What a drill does besides loading: files are fetched, and what came of it is put on record."""

from __future__ import annotations

from blocks.remote.connection import Performed, Watch
from blocks.remote.shell import Shell
from tasks.backup import fetching
from tasks.backup.records import Verified
from tasks.engine.change import Call, Change
from tasks.engine.journal import now
from tasks.runbooks.verify_backup.drill import Drill, Outcome, StoredFile


def fetch(drill: Drill, file: StoredFile) -> Call[Shell]:
    """Let the drill's host have a file of the set; that it is another than was sealed is what the drill finds out.

    Args:
        drill: The drill.
        file: The file.
    """
    return fetching.fetch(
        drill.store,
        drill.name,
        file.name,
        lambda: drill.file(file.name),
        drill.source(file),
        drill.within_s,
        judged=False,
    )


def record(drill: Drill, host: str, outcome: Outcome) -> Change:
    """Put on record beside the set what a restore came to. May be done again.

    Args:
        drill: The drill.
        host: Where it was restored.
        outcome: What it came to.
    """
    what = (drill.run_id, outcome.database, outcome.method)

    def is_there(_: Shell) -> bool:
        return any(
            isinstance(each, Verified) and (each.run_id, each.database, each.method) == what
            for each in drill.store.catalogue().find(str(drill.name)).records
        )

    def do(_: Shell, __: Watch) -> Performed:
        drill.store.record(
            drill.name,
            Verified(
                at=now(),
                run_id=drill.run_id,
                database=outcome.database,
                method=outcome.method,
                host=host,
                restore_seconds=outcome.restore_seconds,
                differences=outcome.differences,
            ),
        )
        return "done"

    return Change((Call(f"put on record of {drill.name} what restoring {outcome.what} came to", do),), already=is_there)
