"""A MariaDB to throw away: of a given image, on an empty directory, without a network, for one drill.

A backup is proven by it: dump and grants are loaded as they are, or it is started on a prepared copy, and what is then in the
server is compared with what was in the one that was backed up (`tasks.database.contents_comparison`, `copy_comparison`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blocks.remote.command import Command, command, question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from tasks.database.contents import ServerContents
from tasks.database.contents_reading import read_contents_file
from tasks.database.contents_sql import contents_sql
from tasks.database.mariadb import Server
from tasks.database.prepared_copy import Preparation, is_hosts_fault
from tasks.database.sql_loading import Loaded, SqlFile, load_sql, parse_loaded
from tasks.database.throwaway_start import DATA, START, START_ON_COPY
from tasks.engine.change import Change, Wait
from tasks.node.podman import podman_exec

_ANSWERING, _SILENT, _SETTLED = "answering", "silent", "answering, or has ended"
# All must bear being run where nothing is left; what can't be removed is an error. The clients end with their units or, in the
# container, with it.
_REMOVE = """
systemctl stop "$1" 2>/dev/null || :
systemctl reset-failed "$1" 2>/dev/null || :
podman rm --force "$2" >/dev/null 2>&1 || :
! podman inspect --type=container "$2" >/dev/null 2>&1 || { echo "container $2 could not be removed" >&2; exit 1; }
rm -rf -- "$3"
"""

_READ = """
umask 077
exec podman exec -i "$1" mysql --no-defaults "--socket=$2" -uroot --batch --skip-column-names --unbuffered \\
  --default-character-set=utf8mb4 --max-allowed-packet=1G <"$3.sql" >"$3"
"""
_TABLES_READ = """echo "$(grep -c '^rows' "$1") $2" """
# What comes last of all says nothing.
_LAST_ERROR = r"""[ ! -e "$1" ] || { grep -F '[ERROR]' "$1" | grep -v 'Aborting$' || :; } | tail -n 1"""
# All tables are hashed, however large and however long it takes.
_NO_LIMIT = 2**62
# The files of a large database go slowly where the disk is slow.
_REMOVE_S = 600


@dataclass(frozen=True)
class ThrowawayServer:
    """Where it runs.

    Attributes:
        image: The image of the server that was backed up, by its id.
        directory: A directory on the host for the data and all else of the drill; what is in it is removed with the server.
        run: What the drill is of; it is part of the container's name.
        buffer_pool_bytes: MariaDB's `innodb_buffer_pool_size`: more loads faster, and is missing to the host meanwhile.
        purpose: What it is for, in a word of the container's name.
        runbook: The runbook that has it; units bear its name.
    """

    image: str
    directory: str
    run: str
    buffer_pool_bytes: int = 512 * 1024**2
    purpose: str = "drill"
    runbook: str = "verify-backup"

    @property
    def container(self) -> str:
        """The container's name."""
        return f"openstack-runbooks-{self.purpose}-{self.run}"

    @property
    def server(self) -> Server:
        """How it is spoken to: as the passwordless root of a new server."""
        return Server(self.container, DATA, "/dev/null", self.runbook)

    @property
    def contents_file(self) -> str:
        """Where, on the host, what is in the server is left. It holds definitions as they are, which may hold secrets."""
        return f"{self.directory}/contents"

    def start(self, within_s: float) -> Change:
        """Create it on an empty directory, and wait until it answers.

        What an earlier drill has left under this name is removed first: it holds nothing of worth.

        Args:
            within_s: Seconds until it must; creating the system tables takes most of them.
        """
        return Change(
            (
                command(*self.remove_words, timeout_s=_REMOVE_S),
                command("install", "-d", "-m", "700", self.directory, self._data),
                self._run(START, within_s),
            ),
            until=self._wait(_ANSWERING, self._answers, within_s),
        )

    def _run(self, start: str, within_s: float) -> Command:
        # Its own label (Z): with SELinux no container may see a directory of the host as it is.
        run = (
            *("podman", "run", "--detach", "--rm", "--network=none", f"--name={self.container}", "--user=root"),
            *("--entrypoint=/usr/bin/env", f"--volume={self._data}:{DATA}:Z", self.image),
            *("bash", "-c", start, "drill", f"--innodb-buffer-pool-size={self.buffer_pool_bytes}"),
        )
        return command(*run, timeout_s=within_s)

    def _wait(self, wanted: str, look: Callable[[Shell], str], within_s: float) -> Wait:
        hint = "see whether the host has room and memory for it, and the kernel's log"
        return Wait(f"MariaDB in {self.container}", wanted, look, within_s, hint)

    # -- of a physical copy

    def make_room(self) -> Change:
        """Remove what an earlier drill has left, and make the directory, into which the copy is prepared."""
        made = command("install", "-d", "-m", "700", self.directory)
        return Change((command(*self.remove_words, timeout_s=_REMOVE_S), made))

    @property
    def preparation(self) -> Preparation:
        """How its data is made of a copy: in a container of the same name, so that the cleanup finds it."""
        said = f"{self.directory}/prepared"
        return Preparation(self.image, self.container, self._data, said, self.server.runbook, self.buffer_pool_bytes)

    def start_on_copy(self, within_s: float) -> Change:
        """Start it on what was prepared, and wait until it answers or has ended; `why_not_started` says which.

        Args:
            within_s: Seconds until it must have done either.
        """
        return Change((self._run(START_ON_COPY, within_s),), until=self._wait(_SETTLED, self._settled, within_s))

    def _settled(self, shell: Shell) -> str:
        seen = self._answers(shell)
        return seen if seen == _SILENT else _SETTLED

    def why_not_started(self, shell: Shell) -> str:
        """Why no server runs on the copy, in the server's own words; empty where one does.

        Raises:
            HostError: It ended for a reason that is not the copy's.
        """
        seen = self._answers(shell)
        error = seen.partition(": ")[2]
        if seen == _ANSWERING or (error and not is_hosts_fault(error)):
            return error
        raise HostError(
            shell.name, f"the server to throw away has gone: {seen}", "see the kernel's log, and who removed it"
        )

    def _answers(self, shell: Shell) -> str:
        """`answering`, `silent`, or where podman can't enter it (125 and more) `not there`, with the last error in its log."""
        ping = ("mysqladmin", "--no-defaults", f"--socket={self.server.socket}", "--connect-timeout=5", "ping")
        code = shell.run(question(*podman_exec(self.container, *ping), ok=tuple(range(256)))).exit_code
        if code < 125:
            return _SILENT if code else _ANSWERING
        # It has gone with its first process, and the log goes with the cleanup.
        error = shell.run(script(_LAST_ERROR, f"{self._data}/drill.log", quiet=True, changes=False)).text
        return f"not there: {error}" if error else "not there"

    @property
    def _data(self) -> str:
        return f"{self.directory}/data"

    def _loaded(self, what: str) -> str:
        return f"{self.directory}/loaded-{what}"

    def load(self, file: SqlFile, within_s: float) -> LongCommand:
        """Load a dump or its grants, to the first error (there is no --force); `read_loaded` says what came of it.

        Args:
            file: What is loaded.
            within_s: Seconds until it is ended.
        """
        return load_sql(self.server, file, self._loaded(file.what), within_s)

    def read_loaded(self, shell: Shell, file: SqlFile) -> Loaded:
        """Read what loading a file came to.

        Raises:
            HostError: It ended for a reason that is not the file's.
        """
        text = shell.run(question("cat", self._loaded(file.what))).stdout
        return parse_loaded(shell.name, file, text)

    def read(self, within_s: float, tables: int = 0) -> Change:
        """Read what is in the server, every row, into `contents_file`.

        Args:
            within_s: Seconds until it is ended.
            tables: About how many there are, to say how far it is; 0 where that is not known.
        """
        sql = contents_sql(_NO_LIMIT, round(within_s), round(within_s))
        words = ("bash", "-c", _READ, "read", self.container, self.server.socket, self.contents_file)
        return Change(
            (
                script('cat >"$1"', f"{self.contents_file}.sql", stdin=sql, stdin_is="SQL: read what is in the server"),
                LongCommand(
                    f"{self.runbook}-read",
                    words,
                    within_s,
                    says=f"read what is in {self.container}",
                    progress_query=question("bash", "-c", _TABLES_READ, "how-far", self.contents_file, str(tables)),
                ),
            )
        )

    def contents(self, shell: Shell) -> ServerContents:
        """What `read` has left.

        Raises:
            HostError: It is not whole.
        """
        return read_contents_file(shell, self.contents_file)

    @property
    def remove_words(self) -> tuple[str, ...]:
        """The words that remove all of it, for the runbook's cleanup; they bear being run twice."""
        units = f"openstack-runbooks-{self.runbook}-*"
        return ("bash", "-o", "errexit", "-c", _REMOVE, "remove", units, self.container, self.directory)


def read_image(shell: Shell, container: str) -> str:
    """The id of the image of which a container was made, whatever the image's name stands for by now."""
    return shell.run(question("podman", "inspect", "--type=container", "--format", "{{.Image}}", container)).text
