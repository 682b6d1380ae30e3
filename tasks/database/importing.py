"""Importing a dump and its grants: in the container, as long commands that outlive the run."""

from __future__ import annotations

import re
from collections.abc import Iterable

from blocks.remote.command import question
from blocks.remote.units import LongCommand, read_log
from tasks.database.dump_parts import Part, Parts
from tasks.database.dumps import dump_copy, grants_copy
from tasks.database.mariadb import Server, Version
from tasks.engine.change import Change
from tasks.node.podman import podman_exec

# Grants on what the dump does not hold (the documented dump leaves routines and some schemas out): told, and passed over.
# 1305: no such routine, 1146: no such table.
_PASSED_OVER = "^ERROR (1305|1146) "

# Two clients for each processor, since a client and its server take turns; more than that wait for the disk.
_STREAMS = 8

# Ending `podman exec` ends the script that it runs in the container and not the client that the script runs; all of them
# are in a process group of their own. The script takes its number away when it comes to its end, and leaves it when it is
# ended: no trap may do so, since bash runs one for EXIT when a signal ends it, too.
_PID = "/tmp/openstack-runbooks-load.pid"  # noqa: S108 - in the container, which has no users but the database
_END = f'p=$(cat {_PID} 2>/dev/null) && rm -f {_PID} {_PID}.done && kill -TERM -- "-$p"'

# The file is open before the first statement runs: it may be removed from then on, and a run that attaches to this import
# needs it no more. The first error ends it (no --force).
_CLIENT = 'mysql --defaults-extra-file="$1" --socket="$2" -uroot --max-allowed-packet=1G'
_IMPORT_DUMP = f"""
set -o errexit -o pipefail
echo $$ >{_PID}
exec 4<"$3"
{_CLIENT} <&4
rm -f {_PID}
"""

# The same with a client for each part, which gets the dump's head before it; what comes after the tables has one client of its
# own. 255 is what makes xargs begin no other.
_IMPORT_PARTS = f"""
set -o errexit -o pipefail
echo $$ >{_PID}
rm -f {_PID}.done
exec 4<"$3"
each='
{{ head -c "$3" /dev/fd/4 &&
  dd if=/dev/fd/4 bs=1M iflag=skip_bytes,count_bytes skip="$4" count="$5" status=none; }} |
  {_CLIENT} || {{ echo "in the part of the dump that begins at byte $4" >&2; exit 255; }}
echo "$5" >>{_PID}.done'
load() {{ xargs -r -n 2 -P "$4" bash -o pipefail -c "$each" load "$1" "$2" "$3"; }}
streams=$((2 * $(nproc)))
echo "$5" | load "$1" "$2" "$4" $((streams < {_STREAMS} ? streams : {_STREAMS}))
echo "$6" | load "$1" "$2" "$4" 1
rm -f {_PID} {_PID}.done
"""

# Where the clients are in the dump: one reads through the script's own descriptor, which shares its position; several have
# a dd each that feeds them, in the script's process group, and those that are through have left their parts' lengths.
_PROGRESS = rf"""
at() {{ awk '/^pos:/ {{ print $2 }}' "$1"; }}
p=$(cat {_PID})
position=$(at "/proc/$p/fdinfo/4")
for length in $(cat {_PID}.done 2>/dev/null); do position=$((position + length)); done
for feeds in $(grep -hoE "^[0-9]+ \(dd\) . [0-9]+ $p " /proc/[0-9]*/stat 2>/dev/null | cut -d ' ' -f 1); do
  begin=$(tr '\0' '\n' <"/proc/$feeds/cmdline" | sed -n 's/^skip=//p')
  now=$(at "/proc/$feeds/fdinfo/0") && position=$((position + now - begin))
done
echo "$position $(stat -Lc %s "/proc/$p/fd/4")"
"""

# The grants are gone through twice: SHOW GRANTS gives an account its roles before the line that creates it. Of the second
# time's errors only the message is kept, without password hashes: the statement holds them.
# They may hold root, with another password than the one that root has: each client keeps root's account as it was in a table
# of its session, and puts it back before it ends, so that the next one can log in. The file may end without a line break.
_IMPORT_GRANTS = f"""
set -o errexit -o pipefail
echo $$ >{_PID}
exec 4<"$3" 5<"$3"
client=(mysql "--defaults-extra-file=$1" "--socket=$2" -uroot)
keep="CREATE TEMPORARY TABLE mysql.kept_root AS SELECT * FROM mysql.$4 WHERE User = 'root' AND Host = 'localhost'"
put_back="REPLACE INTO mysql.$4 SELECT * FROM mysql.kept_root; FLUSH PRIVILEGES;"
printf '%s\n' "$5" | "${{client[@]}}"
grants() {{ cat; printf '\n%s\n' "$put_back"; }}
grants <&4 | "${{client[@]}}" --init-command="$keep" --force >/dev/null 2>&1 || :
wrong=$(
  {{ grants <&5 | "${{client[@]}}" --init-command="$keep" --force 2>&1 || [ $? -eq 1 ] ||
    echo "ERROR mysql was ended in the middle of the grants"; }} |
  grep '^ERROR ' | sed -E 's/\\*[0-9A-F]{{40}}/********/g'
) || :
[ -z "$wrong" ] || echo "$wrong"
rm -f {_PID}
! grep -v -E '{_PASSED_OVER}' <<<"$wrong" | grep -q .
"""  # noqa: S608 - the table is one of two


def _long(server: Server, key: str, contents: str, text: str, within_s: float, *arguments: str) -> LongCommand:
    # What is loaded is in the name by which the script goes, and so in the unit's: an import of another dump is not this one.
    words = podman_exec(
        server.container, "bash", "-c", text, f"{key}-{contents}", server.client_options, server.socket, *arguments
    )
    exec_stop_post = podman_exec(server.container, "bash", "-c", _END)
    progress_query = question(*podman_exec(server.container, "bash", "-c", _PROGRESS))
    return LongCommand(
        f"{server.runbook}-{key}", words, within_s, exec_stop_post, f"mysql < {arguments[0]}", progress_query
    )


def import_dump(server: Server, parts: Parts | None, within_s: float, contents: str = "") -> Change:
    """Import the dump, as a long command that outlives us.

    Args:
        server: The first node's, started alone.
        parts: What of it is loaded side by side; None where it is loaded as it is.
        within_s: Seconds until it is ended.
        contents: The key of what is loaded, dump and grants: it is part of the unit's name.
    """
    copy = dump_copy(server.directory)
    if parts is None:
        return Change((_long(server, "load", contents, _IMPORT_DUMP, within_s, copy),))
    # The largest first, so that it is not the last to begin.
    tables = sorted(parts.tables, key=lambda part: -part.length)
    words = (str(parts.head), _words(tables), _words([parts.rest] if parts.rest else []))
    return Change((_long(server, "load", contents, _IMPORT_PARTS, within_s, copy, *words),))


def _words(parts: Iterable[Part]) -> str:
    return " ".join(f"{part.begin} {part.length}" for part in parts)


def import_grants(
    server: Server, version: Version, roles: tuple[str, ...], within_s: float, contents: str = ""
) -> Change:
    """Import the grants, as a long command.

    Args:
        server: The first node's, started alone.
        version: The server's: where it keeps accounts.
        roles: Roles to create before: the grants give them to accounts without creating them.
        within_s: Seconds until it is ended.
        contents: The key of what is loaded, dump and grants: it is part of the unit's name.
    """
    table = "global_priv" if version >= Version(10, 4) else "user"
    create = "".join(f"CREATE ROLE IF NOT EXISTS {_quoted(role)};" for role in roles)
    long = _long(server, "grant", contents, _IMPORT_GRANTS, within_s, grants_copy(server.directory), table, create)
    return Change(
        (long,),
        findings_after=lambda shell: [
            _passed_over_finding(line) for line in read_log(shell, long) if re.match(_PASSED_OVER, line)
        ],
    )


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _passed_over_finding(line: str) -> str:
    return f"a grant was passed over, since the dump does not hold what it is for: {line}"
