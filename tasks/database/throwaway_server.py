"""A MariaDB to throw away: of a given image, on an empty directory, without a network, for one drill.

A backup is proven by it: the dump and its grants are loaded as they are, and what is then in the server is compared with what
was in the one that was backed up (`tasks.database.contents_comparison`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from blocks.remote.command import command, question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from tasks.database.contents import ServerContents
from tasks.database.contents_reading import read_contents_file
from tasks.database.contents_sql import contents_sql
from tasks.database.dumping import LAST_LINE
from tasks.database.mariadb import Server
from tasks.engine.change import Change, Wait
from tasks.node.podman import podman_exec

_ANSWERING = "answering"
_DATA = "/var/lib/mysql"
_LOG = f"{_DATA}/drill.log"
# No option file: the image's own may name a cluster, and a password in root's would be wrong. Events must not run in a copy
# (OFF is the default; an event that a dump creates stays as it is). Settings of durability are MariaDB's own, so that the time
# that loading takes says something of a real restore's. What mysql_install_db makes beside the system tables by itself, a
# schema and an account for its socket, would differ from what was backed up.
_START = f"""
set -o errexit
chown mysql:mysql {_DATA}
mysql_install_db --no-defaults --datadir={_DATA} --user=mysql \\
  --auth-root-authentication-method=normal --skip-test-db >/dev/null
exec mysqld_safe --no-defaults --datadir={_DATA} --socket={_DATA}/mysql.sock --user=mysql --skip-networking \\
  --event-scheduler=OFF --max-allowed-packet=1G --log-error={_LOG} "$@"
"""
# All must bear being run where nothing is left; what can't be removed is an error. The clients end with their units or, in the
# container, with it.
_REMOVE = """
systemctl stop "$1" 2>/dev/null || :
systemctl reset-failed "$1" 2>/dev/null || :
podman rm --force "$2" >/dev/null 2>&1 || :
! podman inspect --type=container "$2" >/dev/null 2>&1 || { echo "container $2 could not be removed" >&2; exit 1; }
rm -rf -- "$3"
"""

# Reads a file once: on its way to the client its checksum is computed, it is unpacked, and its last line is kept. With -p each
# tee goes on for the others where one reader has ended, so that all of this is known also where the client stops at an error.
# What came of it is left in $said: the client's own words may hold what was in the data or a password's hash, so that of an
# error nothing but its number and line is. What to make of it, `parse_loaded` says.
_LOAD = r"""
set -o nounset
umask 077
file=$1 said=$2 container=$3 socket=$4
shift 4
echo $$ >"$said.pid"
exec 4<"$file" || exit
began=$(date +%s%N)
{ tee -p /dev/fd/3 <&4 | sha256sum >"$said.sum"; } 3>&1 |
  "$@" |
  { tee -p /dev/fd/3 | tail -n 1 | head -c 40 >"$said.last"; } 3>&1 |
  podman exec -i "$container" mysql --no-defaults "--socket=$socket" -uroot \
    --default-character-set=utf8mb4 --max-allowed-packet=1G 2>"$said.error"
codes=${PIPESTATUS[*]}
ended=$(date +%s%N)
{
  printf 'milliseconds\t%s\n' $(((ended - began) / 1000000))
  printf 'codes\t%s\n' "$codes"
  printf 'sha256\t%s\n' "$(cut -d ' ' -f 1 "$said.sum")"
  printf 'last line\t%s\n' "$(cat "$said.last")"
  printf 'error\t%s\n' "$(grep -m 1 -oE '^ERROR [0-9]+ [(][0-9A-Z]+[)]( at line [0-9]+)?' "$said.error")"
} >"$said.new"
rm -f "$said.pid" "$said.sum" "$said.last" "$said.error"
mv -T "$said.new" "$said"
"""
# How far it has read: the script's descriptor shares its position with the first tee.
_HOW_FAR = r"""
pid=$(cat "$1.pid")
echo "$(awk '/^pos:/ { print $2 }' "/proc/$pid/fdinfo/4") $(stat -Lc %s "/proc/$pid/fd/4")"
"""
_READ = """
umask 077
exec podman exec -i "$1" mysql --no-defaults "--socket=$2" -uroot --batch --skip-column-names \\
  --default-character-set=utf8mb4 --max-allowed-packet=1G <"$3.sql" >"$3"
"""
# Errors that say nothing of the dump: no room (1021, 1026, 1030, 1114), no memory (1037, 1041), a server that goes or has gone
# (1053, 1927, 2002, 2003, 2006, 2013).
_NOT_THE_DUMPS = {1021, 1026, 1030, 1114, 1037, 1041, 1053, 1927, 2002, 2003, 2006, 2013}
_LAST_ERROR = r"""[ ! -e "$1" ] || { grep -F '[ERROR]' "$1" || :; } | tail -n 1"""
# All tables are hashed, however large and however long it takes.
_NO_LIMIT = 2**62
# The files of a large database go slowly where the disk is slow.
_REMOVE_S = 600


@dataclass(frozen=True)
class SqlFile:
    """A file of SQL on the host.

    Attributes:
        path: Where it is.
        unpack: The program that unpacks it: standard input to standard output.
        what: What it is, in a word: `dump`, `grants`.
    """

    path: str
    unpack: tuple[str, ...]
    what: str

    @property
    def is_dump(self) -> bool:
        """Whether it ends with the last line of a dump."""
        return self.what == "dump"


@dataclass(frozen=True)
class Loaded:
    """What loading a file came to.

    Attributes:
        seconds: How long it took, by the host's clock.
        sha256: Of the file, as it was read.
        problems: What is wrong with it.
    """

    seconds: float
    sha256: str
    problems: tuple[str, ...] = ()


def parse_loaded(host: str, file: SqlFile, text: str) -> Loaded:
    """Read what loading has left.

    Raises:
        HostError: It ended for a reason that is not the file's.
    """
    seen = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    codes = [int(code) for code in seen.get("codes", "").split()]
    if len(codes) != 4:
        raise HostError(host, f"loading the {file.what} has left no word of how it ended")
    read, unpacked, passed_on, client = codes
    number = re.match(r"ERROR (\d+)", seen.get("error", ""))
    if read or passed_on:
        raise HostError(host, f"{file.path} could not be read to its end", "see what the kernel says of its disk")
    if client and (client != 1 or number is None or int(number[1]) in _NOT_THE_DUMPS):
        said = seen.get("error") or f"the client ended with code {client}"
        raise HostError(
            host,
            f"the server to throw away did not take the {file.what}: {said}",
            "see whether the host has run out of disk or memory, and the kernel's log",
        )
    problems = []
    if unpacked:
        problems.append(f"the {file.what} can't be unpacked")
    if file.is_dump and not seen.get("last line", "").startswith(LAST_LINE):
        problems.append(f"the dump is cut short: its last line is not '{LAST_LINE}'")
    if client:
        problems.append(f"the {file.what} can't be loaded: {seen['error']}")
    return Loaded(int(seen["milliseconds"]) / 1000, seen["sha256"], tuple(problems))


@dataclass(frozen=True)
class ThrowawayServer:
    """Where it runs.

    Attributes:
        image: The image of the server that was backed up, by its id.
        directory: A directory on the host for the data and all else of the drill; what is in it is removed with the server.
        run: What the drill is of; it is part of the container's name.
        buffer_pool_bytes: MariaDB's `innodb_buffer_pool_size`: more loads faster, and is missing to the host meanwhile.
    """

    image: str
    directory: str
    run: str
    buffer_pool_bytes: int = 512 * 1024**2

    @property
    def container(self) -> str:
        """The container's name."""
        return f"openstack-runbooks-drill-{self.run}"

    @property
    def server(self) -> Server:
        """How it is spoken to: as the passwordless root of a new server."""
        return Server(self.container, _DATA, "/dev/null", "verify-backup")

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
        # Its own label (Z): with SELinux no container may see a directory of the host as it is.
        run = (
            *("podman", "run", "--detach", "--rm", "--network=none", f"--name={self.container}", "--user=root"),
            *("--entrypoint=/usr/bin/env", f"--volume={self._data}:{_DATA}:Z", self.image),
            *("bash", "-c", _START, "drill", f"--innodb-buffer-pool-size={self.buffer_pool_bytes}"),
        )
        return Change(
            (
                command(*self.remove_words, timeout_s=_REMOVE_S),
                command("install", "-d", "-m", "700", self.directory, self._data),
                command(*run, timeout_s=within_s),
            ),
            until=Wait(
                f"MariaDB in {self.container}",
                _ANSWERING,
                self._answers,
                within_s,
                "see whether the host has room and memory for it, and the kernel's log",
            ),
        )

    def _answers(self, shell: Shell) -> str:
        """`answering`, `silent`, or where podman can't enter it (125 and more) `not there`, with the last error in its log."""
        ping = ("mysqladmin", "--no-defaults", f"--socket={self.server.socket}", "--connect-timeout=5", "ping")
        code = shell.run(question(*podman_exec(self.container, *ping), ok=tuple(range(256)))).exit_code
        if code < 125:
            return "silent" if code else _ANSWERING
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
        said = self._loaded(file.what)
        words = ("bash", "-c", _LOAD, "load", file.path, said, self.container, self.server.socket, *file.unpack)
        how_far = question("bash", "-c", _HOW_FAR, "how-far", said)
        says = f"load the {file.what} into {self.container}"
        return LongCommand(f"verify-backup-{file.what}", words, within_s, says=says, progress_query=how_far)

    def read_loaded(self, shell: Shell, file: SqlFile) -> Loaded:
        """Read what loading a file came to.

        Raises:
            HostError: It ended for a reason that is not the file's.
        """
        text = shell.run(question("cat", self._loaded(file.what))).stdout
        return parse_loaded(shell.name, file, text)

    def read(self, within_s: float) -> Change:
        """Read what is in the server, every row, into `contents_file`.

        Args:
            within_s: Seconds until it is ended.
        """
        sql = contents_sql(_NO_LIMIT, round(within_s), round(within_s))
        words = ("bash", "-c", _READ, "read", self.container, self.server.socket, self.contents_file)
        return Change(
            (
                script('cat >"$1"', f"{self.contents_file}.sql", stdin=sql, stdin_is="SQL: read what is in the server"),
                LongCommand("verify-backup-read", words, within_s, says=f"read what is in {self.container}"),
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
        units = "openstack-runbooks-verify-backup-*"
        return ("bash", "-o", "errexit", "-c", _REMOVE, "remove", units, self.container, self.directory)


def read_image(shell: Shell, container: str) -> str:
    """The id of the image of which a container was made, whatever the image's name stands for by now."""
    return shell.run(question("podman", "inspect", "--type=container", "--format", "{{.Image}}", container)).text
