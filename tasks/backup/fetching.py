"""A file of a set is brought to the host that restores it."""

from __future__ import annotations

from collections.abc import Callable

from blocks.remote.command import command, script
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import HostError
from blocks.remote.relay import relay
from blocks.remote.shell import Shell
from tasks.backup.backup_set import Received, SetName, parse_received
from tasks.backup.manifest import BackupFile
from tasks.backup.store import Store
from tasks.engine.change import Call

# What is written is what is summed, and is on the disk of this host alone: no need to wait for the disk. A file gets its name once
# it is whole: under that name, an earlier attempt's import may be reading it.
_RECEIVE = """
umask 077
sum=$(tee -- "$1.new" | sha256sum)
printf '%s\\t%s\\n' "$(stat -c %s -- "$1.new")" "${sum%% *}"
"""
# The same of a file that the host sees itself, at the store's own path: the store is mounted there.
_READ_MOUNTED = """
[ -f "$1" ] || exit 3
umask 077
sum=$(tee -- "$2.new" <"$1" | sha256sum)
printf '%s\\t%s\\n' "$(stat -c %s -- "$2.new")" "${sum%% *}"
"""
_NOT_MOUNTED = 3
_IS_THERE = """[ -e "$1" ] && printf '%s  %s\\n' "$2" "$1" | sha256sum --check --status"""


def fetch(
    store: Store,
    name: SetName,
    file: str,
    sealed: Callable[[], BackupFile | None],
    path: str,
    within_s: float,
    judged: bool = True,
) -> Call[Shell]:
    """Let a host have a file of a set. May be done again.

    Where the store is of kind `nfs` and mounted on the host, it reads the file itself; but not where the site limits the bandwidth,
    to which no program of the hosts keeps. Else the file goes through this process.

    Args:
        store: The store.
        name: The set.
        file: The file's name in it.
        sealed: What the manifest says of it; called once it is fetched, since a plan may be made before the set is written.
        path: Where it goes.
        within_s: Seconds until it is ended.
        judged: Whether it must be what was sealed; else whoever uses it looks for that.
    """
    where = f"{store.base}/{name}/{file}"

    def is_there(shell: Shell, sha256: str) -> bool:
        asked = script(_IS_THERE, path, sha256, timeout_s=within_s, quiet=True, changes=False, ok=(0, 1))
        return shell.run(asked).exit_code == 0

    def read_mounted(shell: Shell, told: BackupFile) -> bool:
        read = script(
            _READ_MOUNTED, where, path, timeout_s=within_s, quiet=True, ok=(0, _NOT_MOUNTED), says=f"read {file}"
        )
        said = shell.run(read)
        # Another file at that path is not the store's: it comes from the store's host then, which says what is wrong.
        return said.exit_code == 0 and parse_received(said.stdout) == Received(told.size_bytes, told.sha256)

    def send(shell: Shell, watch: Watch, told: BackupFile | None) -> None:
        def progress(passed: int) -> None:
            watch.progress(100 * passed / max(1, told.size_bytes if told else 0))

        write = command("cat", where, timeout_s=within_s, quiet=True, changes=False)
        receive = script(_RECEIVE, path, timeout_s=within_s, quiet=True, says=f"receive {file}")
        sent = relay(store.shell, write, shell, receive, store.settings.bandwidth_bytes_per_s, progress)
        if parse_received(sent.answer) != Received(sent.size_bytes, sent.sha256):
            raise HostError(shell.name, f"{path} was written otherwise than it was sent", "see its disk and memory")
        if judged and told and told.sha256 != sent.sha256:
            raise HostError(store.shell.name, f"{where} was changed since it was sealed", "restore from another backup")

    def do(shell: Shell, watch: Watch) -> Performed:
        told = sealed()
        if judged and told and is_there(shell, told.sha256):
            return "already"
        settings = store.settings
        mountable = judged and settings.kind == "nfs" and settings.bandwidth_bytes_per_s is None
        if not (mountable and told and read_mounted(shell, told)):
            send(shell, watch, told)
        shell.run(command("mv", "-T", f"{path}.new", path))
        return "done"

    return Call(f"fetch {where} of {store.shell.name} to {path}", do)
