"""Loading a file of SQL into a server that is thrown away, and what that says of the file.

The file is read once, and told apart is what is wrong with it from what is wrong with the host: the one is an answer, the other an
error. `tasks.database.importing` loads what is to stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from blocks.remote.command import Command, question
from blocks.remote.errors import HostError
from blocks.remote.units import LongCommand
from tasks.database.dumping import LAST_LINE
from tasks.database.mariadb import Server

# Reads a file once: on its way to the client its checksum is computed, it is unpacked, and its last line is kept. With -p each
# tee goes on for the others where one reader has ended, so that all of this is known also where the client stops at an error.
# What came of it is left in $said: the client's own words may hold what was in the data or a password's hash, so that of an
# error nothing but its number and line is. What to make of it, `parse_loaded` says.
_LOAD = r"""
set -o nounset -o pipefail
umask 077
file=$1 said=$2 container=$3 socket=$4
shift 4
echo $$ >"$said.pid"
exec 4<"$file" || exit
began=$(date +%s%N)
{ tee -p /dev/fd/3 <&4 | sha256sum >"$said.sum"; } 3>&1 |
  "$@" |
  { tee -p /dev/fd/3 | tail -n 1 | { head -c 40 >"$said.last"; cat >/dev/null; }; } 3>&1 |
  podman exec -i "$container" mysql --no-defaults "--socket=$socket" -uroot \
    --default-character-set=utf8mb4 --max-allowed-packet=1G 2>"$said.error"
codes=${PIPESTATUS[*]}
ended=$(date +%s%N)
{
  printf 'milliseconds\t%s\n' $(((ended - began) / 1000000))
  printf 'codes\t%s\n' "$codes"
  printf 'sha256\t%s\n' "$(cut -d ' ' -f 1 "$said.sum")"
  printf 'last line\t%s\n' "$(cat "$said.last")"
  printf 'error\t%s\n' "$(grep -m 1 -oE '^ERROR( [0-9]+ [(][0-9A-Z]+[)])?( at line [0-9]+)?' "$said.error")"
} >"$said.new"
rm -f "$said.pid" "$said.sum" "$said.last" "$said.error"
mv -T "$said.new" "$said"
"""
# How far it has read: the script's descriptor shares its position with the first tee.
_HOW_FAR = r"""
pid=$(cat "$1.pid")
echo "$(awk '/^pos:/ { print $2 }' "/proc/$pid/fdinfo/4") $(stat -Lc %s "/proc/$pid/fd/4")"
"""
# Errors that say nothing of the dump: no room (1021, 1026, 1030, 1114), no memory (1037, 1041), a server that goes or has gone
# (1053, 1927, 2002, 2003, 2006, 2013).
_NOT_THE_DUMPS = {1021, 1026, 1030, 1114, 1037, 1041, 1053, 1927, 2002, 2003, 2006, 2013}


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
    # The client itself refuses a NUL and commands that it does not know, and numbers neither.
    error = re.match(r"ERROR(?: (\d+) )?", seen.get("error", ""))
    if read or passed_on:
        raise HostError(host, f"{file.path} could not be read to its end", "see what the kernel says of its disk")
    if client and (client != 1 or error is None or int(error[1] or 0) in _NOT_THE_DUMPS):
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


def load_sql(server: Server, file: SqlFile, said: str, within_s: float) -> LongCommand:
    """Load a file, to the first error (there is no --force).

    Args:
        server: A server whose root has no password.
        file: What is loaded.
        said: Path of the file that it leaves on the host, for `parse_loaded`.
        within_s: Seconds until it is ended.
    """
    words = ("bash", "-c", _LOAD, "load", file.path, said, server.container, server.socket, *file.unpack)
    says = f"load the {file.what} into {server.container}"
    return LongCommand(f"{server.runbook}-{file.what}", words, within_s, says=says, progress_query=how_far(said))


def how_far(said: str) -> Command:
    """Ask how far a file was read that a script has on its descriptor 4, and whose process is in `said` with `.pid` behind it."""
    return question("bash", "-c", _HOW_FAR, "how-far", said)
