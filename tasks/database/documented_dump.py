"""The files that the document's own commands write on the host, for those who restore by hand: each is complete, or absent.

BR 1.5 step 3 writes /root/undercloud-all-databases.sql; what the Ansible role's `db_backup.yml` (BR 2.5, 3.5) writes lies in root's
home as well. Their way of dumping is corrected here: see `tasks.database.dumping`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from blocks.remote.command import Command, script
from blocks.remote.units import LongCommand
from tasks.database.contents_sql import IS_SCHEMA, SYSTEM_SCHEMAS
from tasks.database.dumping import dump_pipeline
from tasks.database.mariadb import Server
from tasks.node.podman import podman_exec

UNDERCLOUD_FILE = "/root/undercloud-all-databases.sql"
ROLE_FILE = "/root/openstack-backup-mysql.sql"
ROLE_GRANTS_FILE = "/root/openstack-backup-mysql-grants.sql"

_PID = "/tmp/openstack-runbooks-documented.pid"  # noqa: S108 - in the container, which has no users but the database
_END = f'p=$(cat {_PID} 2>/dev/null) && rm -f {_PID} && kill -TERM -- "-$p"'
_SCHEMAS = (
    "SELECT schema_name FROM information_schema.schemata "  # noqa: S608 - names of our own
    f"WHERE schema_name NOT IN {SYSTEM_SCHEMAS} AND {IS_SCHEMA}"
)

_DUMP = f"""
set -o errexit -o pipefail -o nounset
login=("--defaults-extra-file=$1" "--socket=$2" -uroot --default-character-set=utf8mb4)
what=$3
echo $$ >{_PID}
schemas=()
if [ "$what" = --databases ]; then
  listed=$(mysql "${{login[@]}}" --batch --skip-column-names "--execute=$4")
  mapfile -t schemas <<<"$listed"
fi
mysqldump "${{login[@]}}" --max-allowed-packet=1G --single-transaction --quick --routines --events --triggers --hex-blob \\
  "$what" "${{schemas[@]}}"
rm -f {_PID}
"""

# Whoever restores by hand finds the file whole: this night's, or where nothing came of that, the one before it.
_INTO_FILE = """
umask 077
file=$1 new="$1.new"
shift
trap 'rm -f "$new"' EXIT
{{ {pipeline}; }} >"$new"
sync "$new"
mv -T -- "$new" "$file"
sync "$(dirname "$file")"
"""

_RECEIVE = """
umask 077
new="$1.new"
trap 'rm -f "$new"' EXIT
cat >"$new"
printf '%s  %s\\n' "$2" "$new" | sha256sum --check --status || { echo "$1 did not arrive whole" >&2; exit 65; }
sync "$new"
mv -T -- "$new" "$1"
sync "$(dirname "$1")"
"""


def whole_server_words(server: Server) -> tuple[str, ...]:
    """The words that dump all databases, the server's own with its accounts among them, as BR 1.5 does."""
    return podman_exec(
        server.container, "bash", "-c", _DUMP, "dump", server.client_options, server.socket, "--all-databases"
    )


def schemas_words(server: Server) -> tuple[str, ...]:
    """The words that dump every schema but the server's own, as the role does; the accounts are in a file of their own."""
    arguments = (server.client_options, server.socket, "--databases", _SCHEMAS)
    return podman_exec(server.container, "bash", "-c", _DUMP, "dump", *arguments)


def documented_dump(server: Server, dump: Sequence[str], path: str, within_s: float) -> LongCommand:
    """Write a dump to a file on the host.

    Args:
        server: What is dumped.
        dump: What writes the dump to standard output.
        path: The file; readable by root alone.
        within_s: Seconds until it is ended.
    """
    text = _INTO_FILE.format(pipeline=dump_pipeline(None, None))
    words = ("bash", "-o", "errexit", "-o", "pipefail", "-c", text, "dump", path, *dump)
    end = podman_exec(server.container, "bash", "-c", _END)
    return LongCommand(f"{server.runbook}-documented", words, within_s, exec_stop_post=end, says=f"write {path}")


def write_grants_file(path: str, grants: str) -> Command:
    """Write a grants file on the host, readable by root alone; its text goes through standard input."""
    digest = hashlib.sha256(grants.encode()).hexdigest()
    return script(_RECEIVE, path, digest, stdin=grants, stdin_is="the grants", says=f"write {path}", quiet=True)
