"""Copying a schema from one server into another on the same host, under another name, and putting it in place there.

The server that it is copied into is a node of a Galera cluster that serves, so nothing is done that the others would wait for:

- rows are committed statement by statement, of about a MiB each (mysqldump's own bound), so that no write set is large;
- all tables change places in one RENAME TABLE, the old ones first, so that foreign keys follow theirs. A trigger forbids that
  (ERROR 1435), and a view can't be renamed into another schema: both are taken off first, and made anew by their definitions;
- a table of our own moves with the others, last: where it is says for ever on which side of the RENAME the schemas are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.units import LongCommand
from tasks.database.mariadb import Server

# A schema's name must be quoted nowhere, and its longest successor have room in MariaDB's 64 characters.
NAME_PATTERN = "^[0-9A-Za-z_$-]{1,64}$"
LONGEST_NAME = 64
MARK = "openstack_runbooks_restored"

# Errors of a client may hold what is in a row: their number and line is told, no more.
_QUIETLY = r"""
set -o errexit -o pipefail -o nounset
umask 077
quietly() {
  local said
  said=$("$@" 2>&1 >/dev/null) && return
  grep -m 1 -oE '^ERROR [0-9]+ [(][0-9A-Z]+[)]( at line [0-9]+)?' <<<"$said" || echo "the client did not come to its end"
  return 1
}
options=(--default-character-set=utf8mb4 --max-allowed-packet=1G)
"""
# As it would be by default; a session of ours must not inherit a node's RSU, which leaves the other nodes out.
_CLIENT = r"""
login=("--defaults-extra-file=$options_file" "--socket=$socket" -uroot "${options[@]}")
client=(podman exec -i "$container" mysql "${login[@]}" --batch --skip-column-names --raw
  "--init-command=SET SESSION wsrep_OSU_method = 'TOI', lock_wait_timeout = 60, group_concat_max_len = 67108864")
"""

# LOCK TABLES, which mysqldump does by default, ends at a sequence in Galera, and disabled keys are a DDL each.
_COPY = (
    _QUIETLY
    + r"""
from=$1 from_socket=$2 container=$3 options_file=$4 socket=$5 schema=$6 target=$7 defaults=$8
shift 8
"""
    + _CLIENT
    + r"""
quietly "${client[@]}" <<<"SET foreign_key_checks = 0; DROP DATABASE IF EXISTS \`$target\`; CREATE DATABASE \`$target\` $defaults;"
podman exec "$from" mysqldump --no-defaults "--socket=$from_socket" -uroot "${options[@]}" --skip-opt --create-options \
  --extended-insert --quick --set-charset --hex-blob --skip-triggers --single-transaction "$@" "$schema" |
  quietly "${client[@]}" "$target"
"""
)

# Everything that a RENAME does not carry: routines first, which views may call. Of a schema that is not there, nothing. With $4 set,
# what an earlier attempt has written stays before it: it may have taken off already what is not found any more. Privileges on a
# routine go with it (automatic_sp_privileges); those on tables and views stay under their names.
_DEFINE = (
    _QUIETLY
    + r"""
container=$1 schema=$2 file=$3 again=$4
shift 4
ask() { podman exec -i "$container" mysql "$@" "${options[@]}" --batch --skip-column-names --raw; }
dump() { podman exec "$container" mysqldump "${login[@]}" "${options[@]}" --skip-opt --add-drop-table --no-data "$@"; }
login=("$@")
install -d -m 700 "$(dirname "$file")"
there=$(ask "$@" <<<"SELECT 1 FROM information_schema.schemata WHERE schema_name = '$schema'")
views=$(ask "$@" <<<"SELECT table_name FROM information_schema.views WHERE table_schema = '$schema'")
{
  [ -z "$again" ] || [ ! -e "$file" ] || cat "$file"
  if [ -n "$there" ]; then
    dump --no-create-info --routines --events --triggers --add-drop-trigger "$schema"
  fi
  if [ -n "$views" ]; then
    mapfile -t names <<<"$views"
    dump --skip-triggers "$schema" "${names[@]}"
  fi
} >"$file.part"
if [ -n "$again" ]; then
  ask "$@" >>"${file%.sql}.grants.sql" <<SQL
SELECT CONCAT('GRANT ', REPLACE(proc_priv, ',Grant', ''), ' ON ', routine_type, ' \`$schema\`.\`', REPLACE(routine_name, '\`', '\`\`'),
  '\` TO ', QUOTE(user), IF(host = '', '', CONCAT('@', QUOTE(host))), IF(FIND_IN_SET('Grant', proc_priv), ' WITH GRANT OPTION', ''), ';')
  FROM mysql.procs_priv WHERE db = '$schema';
SQL
fi
sync "$file.part"
mv -T "$file.part" "$file"
"""
)

_TABLES = "FROM information_schema.tables WHERE table_type <> 'VIEW' AND table_schema"
# Prints the statements that change places. A package is known in Oracle's mode alone; its body goes with it.
_STATEMENTS = rf"""
SELECT CONCAT('CREATE DATABASE IF NOT EXISTS \`$schema\` $defaults;');
SELECT CONCAT('CREATE DATABASE IF NOT EXISTS \`$kept\` CHARACTER SET ', default_character_set_name, ' COLLATE ',
  default_collation_name, ';') FROM information_schema.schemata WHERE schema_name = '$schema';
SELECT 'CREATE DATABASE IF NOT EXISTS \`$kept\`;';
SELECT 'CREATE TABLE IF NOT EXISTS \`$new\`.\`{MARK}\` (id INT PRIMARY KEY) ENGINE = InnoDB
  COMMENT = ''What was in $schema before it was restored'';';
SELECT CONCAT('DROP TRIGGER IF EXISTS \`$schema\`.\`', REPLACE(trigger_name, '\`', '\`\`'), '\`;')
  FROM information_schema.triggers WHERE trigger_schema = '$schema';
SELECT CONCAT('DROP EVENT IF EXISTS \`$schema\`.\`', REPLACE(event_name, '\`', '\`\`'), '\`;')
  FROM information_schema.events WHERE event_schema = '$schema';
SELECT CONCAT(IF(routine_type = 'PACKAGE', 'SET sql_mode = ''ORACLE''; ', ''), 'DROP ', routine_type,
  ' IF EXISTS \`$schema\`.\`', REPLACE(routine_name, '\`', '\`\`'), '\`; SET sql_mode = DEFAULT;')
  FROM information_schema.routines WHERE routine_schema = '$schema' AND routine_type <> 'PACKAGE BODY';
SELECT CONCAT('DROP VIEW IF EXISTS \`$schema\`.\`', REPLACE(table_name, '\`', '\`\`'), '\`;')
  FROM information_schema.views WHERE table_schema = '$schema';
SELECT CONCAT('RENAME TABLE ', GROUP_CONCAT('\`', source, '\`.\`', name, '\` TO \`', target, '\`.\`', name, '\`'
  ORDER BY turn, name SEPARATOR ', '), ';') FROM (
    SELECT 1 AS turn, '$schema' AS source, '$kept' AS target, REPLACE(table_name, '\`', '\`\`') AS name {_TABLES} = '$schema'
    UNION ALL SELECT 2, '$new', '$schema', REPLACE(table_name, '\`', '\`\`') {_TABLES} = '$new' AND table_name <> '{MARK}'
    UNION ALL SELECT 3, '$new', '$kept', '{MARK}') AS moves;
"""  # noqa: S608 - names of our own
# What was taken off comes back where the tables did not change places. What the set defines is gone through to its end: what of it
# can't be made, since it is about another schema that is gone, is told by the comparison, and the tables stay.
_SWITCH = (
    _QUIETLY
    + r"""
container=$1 options_file=$2 socket=$3 schema=$4 new=$5 kept=$6 defaults=$7 old_definitions=$8 definitions=$9 statements=${10}
"""
    + _CLIENT
    + rf"""
switched() {{
  "${{client[@]}}" <<<"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '$kept' AND table_name = '{MARK}'"
}}
[ -s "$definitions" ] || {{ echo "$definitions is not there: begin anew from the backup"; exit 66; }}
side=$(switched)
if [ "$side" = 0 ]; then
  "${{client[@]}}" >"$statements" <<SQL
{_STATEMENTS}
SQL
  quietly "${{client[@]}}" <"$statements" || {{
    side=$(switched)
    [ "$side" = 1 ] || {{
      for file in "$old_definitions" "${{old_definitions%.sql}}.grants.sql"; do
        [ ! -s "$file" ] || quietly "${{client[@]}}" --force "$schema" <"$file" || :
      done
      echo "the tables of $schema did not change places: it is as it was, see $statements"
      exit 1
    }}
  }}
fi
quietly "${{client[@]}}" <<<"ALTER DATABASE \`$schema\` $defaults;"
quietly "${{client[@]}}" --force "$schema" <"$definitions" || :
quietly "${{client[@]}}" --force "$schema" <"${{old_definitions%.sql}}.grants.sql" || :
"""
)


@dataclass(frozen=True)
class MovedSchema:
    """A schema that is copied and put in place.

    Attributes:
        name: Its name; as `NAME_PATTERN` has it, so that it needs no quoting.
        stamp: When the run began, as part of names.
        defaults: Its default character set and collation, as SQL has them.
        views: Its views, of which no table is copied.
        folder: Where, on the host, definitions are left. They may hold secrets: it is root's alone.
    """

    name: str
    stamp: str
    defaults: str
    views: tuple[str, ...]
    folder: str

    @property
    def new(self) -> str:
        """Its name until it is put in place."""
        return f"{self.name}_new_{self.stamp}"

    @property
    def kept(self) -> str:
        """The schema that keeps what was there."""
        return f"{self.name}_kept_{self.stamp}"

    @property
    def old_definitions(self) -> str:
        """File with the views, triggers, routines and events of what was there."""
        return f"{self.folder}/{self.kept}.sql"

    @property
    def definitions(self) -> str:
        """File with those of the backup."""
        return f"{self.folder}/{self.new}.sql"

    def copy(self, source: Server, target: Server, within_s: float) -> LongCommand:
        """Copy its tables and sequences under its new name, from server to server; begun again, it begins anew.

        Args:
            source: A server to throw away, whose root has no password.
            target: The node of the cluster.
            within_s: Seconds until it is ended.
        """
        ignored = tuple(f"--ignore-table={self.name}.{view}" for view in self.views)
        where = (source.container, source.socket, target.container, target.client_options, target.socket)
        words = ("bash", "-c", _COPY, "copy", *where, self.name, self.new, self.defaults, *ignored)
        return LongCommand(f"{target.runbook}-copy", words, within_s, says=f"copy {self.name} into {self.new}")

    def write_definitions(self, source: Server, within_s: float) -> LongCommand:
        """Write down what the backup defines beside tables.

        Args:
            source: The server to throw away.
            within_s: Seconds until it is ended.
        """
        login = ("--no-defaults", f"--socket={source.socket}", "-uroot")
        words = ("bash", "-c", _DEFINE, "define", source.container, self.name, self.definitions, "", *login)
        return LongCommand(f"{source.runbook}-define", words, within_s, says=f"write down how {self.name} is defined")

    def write_old_definitions(self, target: Server, within_s: float) -> LongCommand:
        """Write down what is there beside tables; it is taken off when the tables change places.

        Args:
            target: The node of the cluster.
            within_s: Seconds until it is ended.
        """
        login = (f"--defaults-extra-file={target.client_options}", f"--socket={target.socket}", "-uroot")
        words = ("bash", "-c", _DEFINE, "define", target.container, self.name, self.old_definitions, "again", *login)
        return LongCommand(f"{target.runbook}-define", words, within_s, says=f"write down what is in {self.name} now")

    def switch(self, target: Server, within_s: float) -> LongCommand:
        """Put it in place, where that is not done yet, and define all that the backup defines beside tables.

        Args:
            target: The node of the cluster.
            within_s: Seconds until it is ended.
        """
        files = (self.old_definitions, self.definitions, f"{self.folder}/{self.kept}.statements.sql")
        where = (target.container, target.client_options, target.socket)
        words = ("bash", "-c", _SWITCH, "switch", *where, self.name, self.new, self.kept, self.defaults, *files)
        return LongCommand(f"{target.runbook}-switch", words, within_s, says=f"put {self.name} in place")


_DROP = r"""
container=$1 options_file=$2 socket=$3
shift 3
for schema; do
  podman exec -i "$container" mysql "--defaults-extra-file=$options_file" "--socket=$socket" -uroot \
    <<<"SET foreign_key_checks = 0; DROP DATABASE IF EXISTS \`$schema\`;"
done
"""


def drop_words(target: Server, schemas: Sequence[str]) -> tuple[str, ...]:
    """The words that drop schemas which are not in place, whether they are there or not.

    Args:
        target: A node of the cluster.
        schemas: Their names.
    """
    where = (target.container, target.client_options, target.socket)
    return ("bash", "-o", "errexit", "-c", _DROP, "drop", *where, *schemas)
