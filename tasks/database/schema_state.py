"""What a node says of its schemas before some are replaced: which there are, what leads into them, what is under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.database.batch_output import parse_rows
from tasks.database.contents_sql import SYSTEM_SCHEMAS
from tasks.database.mariadb import Server
from tasks.database.schema_scripts import MARK

# Of a statement that is under way its first word alone: the rest may hold a secret. It is asked for first: what comes after it may
# wait for that statement to let go of a table.
_SQL = f"""
SET SESSION wsrep_dirty_reads = ON, SESSION max_statement_time = 60, SESSION lock_wait_timeout = 5;
SELECT 'ddl', id, user, UPPER(SUBSTRING_INDEX(LTRIM(info), ' ', 1)) FROM information_schema.processlist
  WHERE command = 'Query' AND info REGEXP '^[[:space:]]*(ALTER|CREATE|DROP|RENAME|TRUNCATE|OPTIMIZE|REPAIR)[[:space:]]';
SELECT 'schema', schema_name, '', '' FROM information_schema.schemata
UNION ALL SELECT 'mark', table_schema, '', '' FROM information_schema.tables WHERE table_name = '{MARK}'
UNION ALL SELECT 'key', constraint_schema, table_name, unique_constraint_schema
  FROM information_schema.referential_constraints WHERE constraint_schema <> unique_constraint_schema;
SELECT 'end', '', '', '';
"""  # noqa: S608 - names of our own
# Who defined what, and is not there: whatever is called in that name fails.
_DEFINERS = """
SELECT what, name, definer FROM (
  SELECT 'view' AS what, CONCAT(table_schema, '.', table_name) AS name, definer FROM information_schema.views
    WHERE table_schema IN ({schemas}) AND security_type = 'DEFINER'
  UNION ALL SELECT LOWER(routine_type), CONCAT(routine_schema, '.', routine_name), definer FROM information_schema.routines
    WHERE routine_schema IN ({schemas}) AND security_type = 'DEFINER'
  UNION ALL SELECT 'trigger', CONCAT(trigger_schema, '.', trigger_name), definer FROM information_schema.triggers
    WHERE trigger_schema IN ({schemas})
  UNION ALL SELECT 'event', CONCAT(event_schema, '.', event_name), definer FROM information_schema.events
    WHERE event_schema IN ({schemas})) AS defined
WHERE definer NOT IN (SELECT CONCAT(user, '@', host) FROM mysql.user);
"""
# Galera leaves an event enabled on the node on which it was made, and on the others it is as on a replica.
_SLEEPING_EVENTS = """
SELECT CONCAT(event_schema, '.', event_name) FROM information_schema.events
  WHERE event_schema {of} AND status = 'SLAVESIDE_DISABLED';
"""


@dataclass(frozen=True)
class SchemaState:
    """What a node says.

    Attributes:
        schemas: All that there are.
        kept: Those that keep what was in another one before it was restored.
        foreign_keys: Schema, table, and the other schema that it refers to.
        ddl: Statements under way that change definitions: `ALTER of nova (connection 7)`.
    """

    schemas: frozenset[str]
    kept: frozenset[str]
    foreign_keys: tuple[tuple[str, str, str], ...]
    ddl: tuple[str, ...]

    def leads_into(self, schema: str) -> Iterator[str]:
        """Tables of other schemas whose foreign keys lead into this one: they would follow what is kept aside."""
        yield from (f"{child}.{table}" for child, table, parent in self.foreign_keys if parent == schema)


def parse_schema_state(text: str) -> SchemaState | None:
    """Read what the node said; None where it did not come to its end."""
    rows = parse_rows(text)
    if not rows or rows[-1][0] != "end":
        return None
    return SchemaState(
        schemas=frozenset(row[1] for row in rows if row[0] == "schema"),
        kept=frozenset(row[1] for row in rows if row[0] == "mark"),
        foreign_keys=tuple((row[1], row[2], row[3]) for row in rows if row[0] == "key"),
        ddl=tuple(f"{row[3]} of {row[2]} (connection {row[1]})" for row in rows if row[0] == "ddl"),
    )


def read_schema_state(shell: Shell, server: Server) -> SchemaState:
    """Ask a node; nothing is changed.

    Raises:
        HostError: It does not say all of it.
    """
    state = parse_schema_state(shell.run(server.statement(_SQL, timeout_s=120)).stdout)
    if state is None:
        raise HostError(shell.name, "MariaDB did not say to the end which schemas it has", "see its log")
    return state


def read_missing_definers(shell: Shell, server: Server, schemas: Sequence[str]) -> list[str]:
    """Say what in some schemas is defined by an account that is not there.

    Args:
        shell: The server's host.
        server: The server.
        schemas: Names that need no quoting.
    """
    sql = _DEFINERS.format(schemas=", ".join(map(repr, schemas)))
    rows = parse_rows(shell.run(server.statement(sql)).stdout)
    return [
        f"{what} {name} is defined by {definer}, an account that is not there: it fails when it is used"
        for what, name, definer in rows
    ]


def read_sleeping_events(shell: Shell, server: Server, schemas: Sequence[str] = ()) -> list[str]:
    """Say which events are as on a replica: those of a backup that was taken on another node than they run on.

    Args:
        shell: The server's host.
        server: The server.
        schemas: Of which schemas, by names that need no quoting; empty for all but the server's own.
    """
    of = f"IN ({', '.join(map(repr, schemas))})" if schemas else f"NOT IN {SYSTEM_SCHEMAS}"
    sql = _SLEEPING_EVENTS.format(of=of)
    return [
        f"event {name} runs nowhere: it was DISABLE ON SLAVE on the node that was backed up; ALTER EVENT {name} ENABLE on one node "
        "lets it run there"
        for (name,) in parse_rows(shell.run(server.statement(sql)).stdout)
    ]
