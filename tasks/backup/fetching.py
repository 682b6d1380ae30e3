"""A file of a set is brought to the host that restores it."""

from __future__ import annotations

from blocks.remote.command import command, script
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import HostError
from blocks.remote.relay import relay
from blocks.remote.shell import Shell
from tasks.backup.backup_set import Received, SetName, parse_received
from tasks.backup.store import Store
from tasks.engine.change import Call

# What is written is what is summed, and is on the disk of this host alone: no need to wait for the disk. A file gets its name once
# it is whole: under that name, an earlier attempt's import may be reading it.
_RECEIVE = """
umask 077
sum=$(tee -- "$1.new" | sha256sum)
printf '%s\\t%s\\n' "$(stat -c %s -- "$1.new")" "${sum%% *}"
"""
_IS_THERE = """[ -e "$1" ] && printf '%s  %s\\n' "$2" "$1" | sha256sum --check --status"""


def fetch(
    store: Store, name: SetName, file: str, size_bytes: int, path: str, within_s: float, sha256: str = ""
) -> Call[Shell]:
    """Let a host have a file of a set, through this process, at no more than the site's bandwidth. May be done again.

    Args:
        store: The store.
        name: The set.
        file: The file's name in it.
        size_bytes: About how large it is, for the progress.
        path: Where it goes.
        within_s: Seconds until it is ended.
        sha256: What it must be; empty where whoever uses it looks for that.
    """
    where = f"{store.base}/{name}/{file}"

    def is_there(shell: Shell) -> bool:
        asked = script(_IS_THERE, path, sha256, timeout_s=within_s, quiet=True, changes=False, ok=(0, 1))
        return bool(sha256) and shell.run(asked).exit_code == 0

    def do(shell: Shell, watch: Watch) -> Performed:
        if is_there(shell):
            return "already"

        def progress(passed: int) -> None:
            watch.progress(100 * passed / max(1, size_bytes))

        write = command("cat", where, timeout_s=within_s, quiet=True, changes=False)
        receive = script(_RECEIVE, path, timeout_s=within_s, quiet=True, says=f"receive {file}")
        sent = relay(store.shell, write, shell, receive, store.settings.bandwidth_bytes_per_s, progress)
        if parse_received(sent.answer) != Received(sent.size_bytes, sent.sha256):
            raise HostError(shell.name, f"{path} was written otherwise than it was sent", "see its disk and memory")
        if sha256 not in ("", sent.sha256):
            raise HostError(store.shell.name, f"{where} was changed since it was sealed", "restore from another backup")
        shell.run(command("mv", "-T", f"{path}.new", path))
        return "done"

    return Call(f"fetch {where} of {store.shell.name} to {path}", do)
