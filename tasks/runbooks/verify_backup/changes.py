"""What a drill does besides loading: files are fetched, and what came of it is put on record."""

from __future__ import annotations

from blocks.remote.command import command, script
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import HostError
from blocks.remote.relay import relay
from blocks.remote.shell import Shell
from tasks.backup.backup_set import Received, parse_received
from tasks.backup.records import Verified
from tasks.engine.change import Call, Change
from tasks.engine.journal import now
from tasks.runbooks.verify_backup.drill import Drill, Outcome, StoredFile

# What is written is what is summed, and is on the disk of the drill's host alone: no need to wait for the disk.
_RECEIVE = """
umask 077
sum=$(tee -- "$1" | sha256sum)
printf '%s\\t%s\\n' "$(stat -c %s -- "$1")" "${sum%% *}"
"""


def fetch(drill: Drill, file: StoredFile) -> Call[Shell]:
    """Let the drill's host have a file of the set, through this process, at no more than the site's bandwidth. May be done again.

    Args:
        drill: The drill.
        file: The file.
    """
    where, path = f"{drill.store.base}/{drill.name}/{file.name}", drill.source(file)

    def do(shell: Shell, watch: Watch) -> Performed:
        sealed = drill.file(file.name)
        size = sealed.size_bytes if sealed else 0

        def progress(passed: int) -> None:
            watch.progress(100 * passed / max(1, size))

        write = command("cat", where, timeout_s=drill.within_s, quiet=True, changes=False)
        receive = script(_RECEIVE, path, timeout_s=drill.within_s, quiet=True, says=f"receive {file.name}")
        bandwidth = drill.store.settings.bandwidth_bytes_per_s
        sent = relay(drill.store.shell, write, shell, receive, bandwidth, progress)
        if parse_received(sent.answer) != Received(sent.size_bytes, sent.sha256):
            raise HostError(shell.name, f"{path} was written otherwise than it was sent", "see its disk and memory")
        return "done"

    return Call(f"fetch {where} of {drill.store.shell.name} to {path}", do)


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
