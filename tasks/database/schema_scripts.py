"""What `tasks.database.schema_moving` runs on a host: bash around the clients of two containers.

The names of schemas are in the text of SQL: they are such as need no quoting (`NAME_PATTERN`).
"""

from __future__ import annotations

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
COPY = (
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

# Everything that a RENAME does not carry: routines first, which views may call. Of a schema that is not there, nothing. With $4
# set, what an earlier attempt has written stays before it: it may have taken off already what is not found any more. Privileges on
# a routine go with it (automatic_sp_privileges); those on tables and views stay under their names.
DEFINE = (
    _QUIETLY  # noqa: S608 - names of our own
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
SELECT CONCAT('GRANT ', REPLACE(proc_priv, ',Grant', ''), ' ON ', routine_type, ' \`$schema\`.\`',
  REPLACE(routine_name, '\`', '\`\`'), '\` TO ', QUOTE(user), IF(host = '', '', CONCAT('@', QUOTE(host))),
  IF(FIND_IN_SET('Grant', proc_priv), ' WITH GRANT OPTION', ''), ';')
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
SWITCH = (
    _QUIETLY  # noqa: S608 - names of our own
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
"""  # noqa: S608 - names of our own
)
DROP = r"""
container=$1 options_file=$2 socket=$3
shift 3
for schema; do
  podman exec -i "$container" mysql "--defaults-extra-file=$options_file" "--socket=$socket" -uroot \
    <<<"SET foreign_key_checks = 0; DROP DATABASE IF EXISTS \`$schema\`;"
done
"""
