"""Taking a dump: consistent, with all schemas whatever their engine, and with what is in it read in the same snapshot.

In place of BR 1.5 step 3 (`mysqldump --opt --all-databases | tee`), which loses events, ends at the first sequence of a Galera
node (LOCK TABLE), is inconsistent without `--single-transaction`, and returns 0 when it has failed; and in place of the
Ansible role's `db_backup.yml` (BR 2.5, 3.5), which takes only schemas that have InnoDB tables, without routines and events.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.command import question
from blocks.remote.shell import Shell
from tasks.database.contents_sql import IS_SCHEMA, SYSTEM_SCHEMAS, UNLOCKED, contents_sql
from tasks.database.mariadb import Server
from tasks.node.podman import podman_exec

_SYSTEM = ", ".join(f"'{name}'" for name in SYSTEM_SCHEMAS)

# The last line of a dump that is whole; mysqldump's exit code alone does not say it.
LAST_LINE = "-- Dump completed"

# In the container, which has no users but the database.
_PIPE = "/tmp/openstack-runbooks-dump"  # noqa: S108
_PID = f"{_PIPE}.pid"
# Ending `podman exec` ends nothing in the container. The script and all its clients are one process group there.
_END = f'p=$(cat {_PID} 2>/dev/null) && rm -f {_PID} && kill -TERM -- "-$p"'

# No --opt in full: --lock-tables, which is part of it, is what fails at a sequence; --single-transaction takes it out. Binary
# columns in hexadecimal, so that no character set touches them.
_OPTIONS = (
    *("--single-transaction", "--quick", "--routines", "--events", "--triggers", "--hex-blob", "--verbose"),
    "--databases",
)

# Three sessions of one node. The first holds all writers off (FLUSH TABLES WITH READ LOCK) until the second, which reads what
# is in the server, and the third, mysqldump, have both begun their snapshots: these are then the same. The second reads first
# what no snapshot holds, while the lock lasts. Mysqldump tells of the first structure that it retrieves once its snapshot has
# begun. The lock ends with its client, which ends with this script; and after $5 idle seconds by the server itself, whatever
# has become of us. A lock that was lost before both had begun is a failure: nobody could say what the dump is to be compared
# with. What a dump of before has left is gone before the second begins: its last row is not this one's. No trap takes the number
# away: see `tasks.database.importing`.
_DUMP = f"""
set -o errexit -o pipefail -o nounset
umask 077
options=$1 socket=$2 contents=$3 sql=$4 seconds=$5
shift 5
echo $$ >{_PID}
fail() {{ echo "$1" >&2; exit 1; }}
login=("--defaults-extra-file=$options" "--socket=$socket" -uroot --default-character-set=utf8mb4 --max-allowed-packet=1G)
client=(mysql "${{login[@]}}" --batch --skip-column-names --unbuffered)

rm -f {_PIPE}.ask {_PIPE}.answer
mkfifo {_PIPE}.ask {_PIPE}.answer
"${{client[@]}}" --raw --skip-reconnect <{_PIPE}.ask >{_PIPE}.answer &
exec 7>{_PIPE}.ask 8<{_PIPE}.answer
rm -f {_PIPE}.ask {_PIPE}.answer
cat >&7 <<SQL
SET SESSION wait_timeout = $seconds, lock_wait_timeout = $seconds, wsrep_dirty_reads = ON;
FLUSH TABLES WITH READ LOCK;
SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ({_SYSTEM}) AND {IS_SCHEMA};
SELECT '';
SQL
schemas=()
while IFS= read -r -t $((seconds + 10)) -u 8 schema || fail "no read lock within $seconds s"; do
  [ -n "$schema" ] || break
  schemas+=("$schema")
done
[ "${{#schemas[@]}}" != 0 ] || fail "there is no schema but the server's own"
unlock() {{
  echo "UNLOCK TABLES; SELECT 'held';" >&7 2>/dev/null || :
  read -r -t 10 -u 8 held && [ "$held" = held ]
}}

: >"$contents"
"${{client[@]}}" <<<"$sql" >>"$contents" 7>&- 8<&- &
reader=$!
until grep -qx {UNLOCKED} "$contents"; do
  kill -0 "$reader" 2>/dev/null || {{ wait "$reader"; fail "what is in the server was not read to its end"; }}
  sleep 0.1
done

follow() {{
  local held=''
  while IFS= read -r line; do
    case $line in
      "-- Retrieving "*) [ -n "$held" ] || unlock || fail "the read lock was lost before both snapshots had begun" ;;
      "-- "*) ;;
      *) printf '%s\\n' "$line" >&2 ;;
    esac
  done
}}
{{ mysqldump "${{login[@]}}" "$@" "${{schemas[@]}}" 2>&1 >&3 | follow; }} 3>&1
wait "$reader"
rm -f {_PID}
"""  # noqa: S608 - names of our own
# What is in the server, read once more after a physical copy; ended and removed as a dump is.
_READ_AGAIN = f"""
set -o errexit -o nounset
umask 077
options=$1 socket=$2 contents=$3
echo $$ >{_PID}
mysql "--defaults-extra-file=$options" "--socket=$socket" -uroot --default-character-set=utf8mb4 --max-allowed-packet=1G \\
  --batch --skip-column-names --unbuffered <<<"$4" >"$contents"
rm -f {_PID}
"""


@dataclass(frozen=True)
class Compressor:
    """A program that compresses.

    Attributes:
        words: The command: standard input to standard output.
        suffix: What is appended to a file's name.
    """

    words: tuple[str, ...]
    suffix: str


# The best first: zstd takes 10.11's own dump of 240 MB in half the time of gzip -1, and is smaller.
COMPRESSORS = (
    Compressor(("zstd", "-q", "-T0", "-c"), ".zst"),
    Compressor(("pigz", "-1", "-c"), ".gz"),
    Compressor(("gzip", "-1", "-c"), ".gz"),
)


def find_compressor(shell: Shell) -> Compressor:
    """The best compressor that a host has; gzip is on every host."""
    look = question(
        "bash", "-c", 'for p in "$@"; do command -v "$p"; done; :', "bash", *(c.words[0] for c in COMPRESSORS)
    )
    there = {path.rpartition("/")[2] for path in shell.run(look).stdout.split()}
    return next((one for one in COMPRESSORS if one.words[0] in there), COMPRESSORS[-1])


def contents_file(server: Server) -> str:
    """Where, in the container as on the host, the dump leaves what was in the server; readable by root alone.

    It holds definitions as they are, which may hold secrets: whoever takes the dump removes it, whatever happens.
    """
    return f"{server.directory}/openstack-runbooks-contents"


def remove_words(server: Server) -> tuple[str, ...]:
    """The words that remove the file of contents."""
    return ("rm", "-f", "--", contents_file(server))


def end_words(server: Server) -> tuple[str, ...]:
    """The words that end a dump in the container; with none at work they fail."""
    return podman_exec(server.container, "bash", "-c", _END)


def dump_words(server: Server, largest_bytes: int, within_s: int, lock_s: int = 60) -> tuple[str, ...]:
    """The words that write a dump to standard output, and what was in the server into `contents_file`.

    Args:
        server: A synced node that the VIP does not point to, desynced (see `tasks.database.desync`), or one server alone.
        largest_bytes: A table with more is not hashed.
        within_s: Seconds after which no table's hashing is begun.
        lock_s: Seconds after which it gives up getting the lock that holds writers off, and after which the server ends that
            lock; for half of them tables without transactions are hashed.
    """
    sql = contents_sql(largest_bytes, within_s, lock_s // 2)
    arguments = (server.client_options, server.socket, contents_file(server), sql, str(lock_s))
    return podman_exec(server.container, "bash", "-c", _DUMP, "dump", *arguments, *_OPTIONS)


def read_again_words(server: Server, largest_bytes: int, within_s: int) -> tuple[str, ...]:
    """The words that write what is in the server into `contents_file` once more, in a snapshot of its own, holding nobody off.

    Args:
        server: The server.
        largest_bytes: A table with more is not hashed.
        within_s: Seconds after which no table's hashing is begun.
    """
    sql = contents_sql(largest_bytes, within_s, within_s)
    arguments = (server.client_options, server.socket, contents_file(server), sql)
    return podman_exec(server.container, "bash", "-c", _READ_AGAIN, "read", *arguments)


# The dump goes two ways: on, and into a look at its end. Each part's failure is the pipeline's. Mysqldump reads nothing from the
# disk by itself, MariaDB does: an ionice here would slow down nobody but the writer, who has one of its own.
_PIPELINE = """{{ {dump} | tee /dev/fd/3 | tail -n 1 | {{ grep -q '^{last}' ||
  {{ echo "the dump is cut short: its last line is not '{last}'" >&2; exit 1; }}; }}; }} 3>&1{compress}"""


def dump_pipeline(dump: Sequence[str] | None, compressor: Compressor | None) -> str:
    """The pipeline, for a bash with `-o pipefail`, that writes a compressed dump to standard output.

    It fails if any of its parts does, and where the dump's last line is missing. Whoever reads it must drop what came where it
    has failed: by then it was written.

    Args:
        dump: What writes the dump, as `dump_words` gives it; None where these words are the script's own arguments.
        compressor: None for a dump as it is.
    """
    compress = f" | {shlex.join(compressor.words)}" if compressor else " | cat"
    written = shlex.join(dump) if dump else '"$@"'
    return _PIPELINE.format(dump=written, last=LAST_LINE, compress=compress)
