"""A physical copy unpacked and prepared: out of its stream comes a directory on which a server can start.

MariaDB's documentation, "Full backup and restore with mariadb-backup": `mbstream -x`, `--prepare`, and the files' owner. All of it
takes place in one container to throw away, of the image that made the copy and without a network: neither the host nor any
running container needs the programs, and they are of the server's own version.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from blocks.remote.command import question
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from tasks.database.sql_loading import how_far

_DATA = "/var/lib/mysql"
_NO_PROGRAM, _NOT_UNPACKED, _NOT_PREPARED = 61, 62, 63
# Until 10.4 it is called mariabackup alone, and the files in the copy are named after its ancestor. What it says of the copy's end
# is printed, a line each: the version of the server, and the position of the cluster.
_INSIDE = f"""
set -o nounset
cd {_DATA} || exit
program=$(command -v mariadb-backup || command -v mariabackup) && command -v mbstream >/dev/null || exit {_NO_PROGRAM}
mbstream -x || exit {_NOT_UNPACKED}
"$program" --prepare --target-dir={_DATA} "--use-memory=$1" || exit {_NOT_PREPARED}
for info in mariadb_backup_info xtrabackup_info; do
  [ ! -e "$info" ] || {{ sed -n 's/^server_version = /version\\t/p' "$info"; break; }}
done
for info in mariadb_backup_galera_info xtrabackup_galera_info; do
  [ ! -e "$info" ] || {{ printf 'position\\t%s\\n' "$(cut -d ' ' -f 1 "$info")"; break; }}
done
chown -R mysql:mysql {_DATA}
"""
# Reads the stream once: its checksum is computed on its way. All of it is read, whatever becomes of the container, so that it is
# known whether it can be unpacked to its end. Nothing has the directory's name before it is whole.
_PREPARE = r"""
set -o nounset -o pipefail
umask 077
copy=$1 unpack=$2 said=$3 container=$4 directory=$5
shift 5
[ ! -e "$directory" ] || { echo "$directory is there already" >&2; exit 73; }
exec 4<"$copy" || exit
echo $$ >"$said.pid"
podman rm --force "$container" >/dev/null 2>&1 || :
rm -rf --one-file-system -- "$directory.part"
install -d -m 755 "$directory.part" || exit
began=$(date +%s%N)
{ tee -p /dev/fd/3 <&4 | sha256sum >"$said.sum"; } 3>&1 |
  bash -c "$unpack" |
  (
    "$@" >"$said.info" 2>"$said.error"
    code=$?
    cat >/dev/null
    exit "$code"
  )
codes=${PIPESTATUS[*]}
ended=$(date +%s%N)
case $codes in
  "0 0 0") mv -T -- "$directory.part" "$directory" || exit ;;
  *) rm -rf --one-file-system -- "$directory.part" ;;
esac
{
  printf 'milliseconds\t%s\n' $(((ended - began) / 1000000))
  printf 'codes\t%s\n' "$codes"
  printf 'sha256\t%s\n' "$(cut -d ' ' -f 1 "$said.sum")"
  cat "$said.info"
  printf 'error\t%s\n' "$(grep -E 'error|Error|ERROR' "$said.error" | tail -n 1 | head -c 300)"
  printf 'last line\t%s\n' "$(tail -n 1 "$said.error" | head -c 300)"
} >"$said.new"
rm -f "$said.pid" "$said.sum" "$said.info" "$said.error"
mv -T "$said.new" "$said"
"""
# What MariaDB's programs say where the host has no room or no memory (28 is ENOSPC, 12 is ENOMEM).
_HOSTS_FAULT = re.compile(
    r"No space left|[Oo]ut of memory|[Cc]annot allocate|(?:errno|errcode|error number)\W{0,3}(?:28|12)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Preparation:
    """Where a copy is prepared.

    Attributes:
        image: The image of the server that was copied, by its id.
        container: Name of the container to throw away; one of that name that is left is removed.
        directory: The directory that is made, with all that is above it there; its files belong to the image's `mysql`.
        said: Path of the file on the host that says what came of it.
        runbook: The runbook's name: the unit bears it.
        memory_bytes: For what `mariadb-backup --prepare` keeps of the redo log.
    """

    image: str
    container: str
    directory: str
    said: str
    runbook: str
    memory_bytes: int = 512 * 1024**2

    def words(self, copy: str, unpack: tuple[str, ...]) -> tuple[str, ...]:
        """The words that make the directory. They bear being run again after they were cut short.

        Args:
            copy: Path of the copy on the host; `/dev/stdin` where it is streamed.
            unpack: The program that unpacks it: standard input to standard output.
        """
        # Its own label (Z): with SELinux no container may see a directory of the host as it is.
        run = (
            *("podman", "run", "--rm", "-i", "--network=none", f"--name={self.container}", "--user=root"),
            *("--entrypoint=/usr/bin/env", f"--volume={self.directory}.part:{_DATA}:Z", self.image),
            *("bash", "-c", _INSIDE, "prepare", str(self.memory_bytes)),
        )
        where = (copy, shlex.join(unpack), self.said, self.container, self.directory)
        return ("bash", "-c", _PREPARE, "prepare", *where, *run)

    def prepare(self, copy: str, unpack: tuple[str, ...], within_s: float) -> LongCommand:
        """The same as a unit of the host, for a copy that lies there; `read` says what came of it.

        Args:
            copy: Path of the copy on the host.
            unpack: The program that unpacks it.
            within_s: Seconds until it is ended.
        """
        says = f"prepare {copy} in {self.directory}"
        return LongCommand(
            f"{self.runbook}-copy", self.words(copy, unpack), within_s, says=says, progress_query=how_far(self.said)
        )

    def read(self, shell: Shell) -> Prepared:
        """Read what came of it.

        Raises:
            HostError: It ended for a reason that is not the copy's.
        """
        return parse_prepared(shell.name, shell.run(question("cat", self.said)).stdout)

    @property
    def remove_words(self) -> tuple[str, ...]:
        """The words that remove the container and what is half made, for a cleanup; what is whole stays."""
        remove = 'podman rm --force "$1" >/dev/null 2>&1 || :; rm -rf --one-file-system -- "$2.part"'
        return ("bash", "-c", remove, "remove", self.container, self.directory)


@dataclass(frozen=True)
class Prepared:
    """What came of a copy.

    Attributes:
        seconds: How long it took, by the host's clock.
        sha256: Of the copy, as it was read.
        version: The version of the server that was copied, as the copy says; empty where it does not.
        position: The cluster's at the end of the copy, `UUID:SEQNO`; empty without Galera.
        problems: What is wrong with it; with any there is no directory.
    """

    seconds: float
    sha256: str
    version: str = ""
    position: str = ""
    problems: tuple[str, ...] = ()


def parse_prepared(host: str, text: str) -> Prepared:
    """Read what preparing a copy has left.

    Raises:
        HostError: It ended for a reason that is not the copy's.
    """
    seen = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    codes = [int(code) for code in seen.get("codes", "").split()]
    if len(codes) != 3:
        raise HostError(host, "preparing the copy has left no word of how it ended")
    read, unpacked, inside = codes
    error = seen.get("error") or seen.get("last line", "")
    if read:
        raise HostError(host, "the copy could not be read to its end", "see what the kernel says of its disk")
    if inside == _NO_PROGRAM:
        raise HostError(
            host, "the image has no mariadb-backup, or no mbstream", "nothing can be said of the copy: use the dump"
        )
    if inside and (inside not in (_NOT_UNPACKED, _NOT_PREPARED) or is_hosts_fault(error)):
        said = error or f"its container ended with code {inside}"
        raise HostError(
            host, f"the copy could not be prepared: {said}", "see whether the host has run out of disk or memory"
        )
    problems = []
    if unpacked:
        problems.append("the copy can't be decompressed")
    if inside == _NOT_UNPACKED:
        problems.append(f"the copy can't be unpacked: {error or 'mbstream has failed'}")
    if inside == _NOT_PREPARED:
        problems.append(f"the copy can't be prepared: {error or 'mariadb-backup has failed'}")
    return Prepared(
        int(seen["milliseconds"]) / 1000,
        seen["sha256"],
        seen.get("version", ""),
        seen.get("position", ""),
        tuple(problems),
    )


def is_hosts_fault(error: str) -> bool:
    """Whether an error of MariaDB's programs is the host's, which has run out of disk or memory."""
    return _HOSTS_FAULT.search(error) is not None
