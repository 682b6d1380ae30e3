"""What a database that still answers holds: names of everything that a dump can lack, and about how many rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blocks.remote.shell import Shell
from tasks.database.access import Account
from tasks.database.batch_output import parse_rows
from tasks.database.contents_sql import IS_SCHEMA
from tasks.database.mariadb import Server

# The server's own schemas, and its own accounts; root has passwords of its own in a restore.
_OWN_SCHEMAS = "('mysql', 'information_schema', 'performance_schema', 'sys')"
_OWN_ACCOUNTS = "('', 'root', 'mariadb.sys', 'PUBLIC')"
# Reading alone; a node that is out of its cluster answers, too. Rows are InnoDB's estimate: counting would read every table.
_SQL = f"""
SET SESSION wsrep_dirty_reads = ON, SESSION max_statement_time = 30, SESSION lock_wait_timeout = 5;
SELECT 'schema', schema_name, '', 0 FROM information_schema.schemata
  WHERE schema_name NOT IN {_OWN_SCHEMAS} AND {IS_SCHEMA}
UNION ALL SELECT IF(table_type = 'VIEW', 'view', 'table'), table_schema, table_name, COALESCE(table_rows, 0)
  FROM information_schema.tables WHERE table_schema NOT IN {_OWN_SCHEMAS}
UNION ALL SELECT 'routine', routine_schema, routine_name, 0
  FROM information_schema.routines WHERE routine_schema NOT IN {_OWN_SCHEMAS}
UNION ALL SELECT 'event', event_schema, event_name, 0 FROM information_schema.events WHERE event_schema NOT IN {_OWN_SCHEMAS}
UNION ALL SELECT 'trigger', trigger_schema, trigger_name, 0
  FROM information_schema.triggers WHERE trigger_schema NOT IN {_OWN_SCHEMAS}
UNION ALL SELECT IF(is_role = 'Y', 'role', 'account'), user, host, 0 FROM mysql.user WHERE user NOT IN {_OWN_ACCOUNTS};
SELECT 'end', '', '', 0;
"""  # noqa: S608 - names of our own


@dataclass(frozen=True, order=True)
class Named:
    """Something in a schema.

    Attributes:
        schema: Where.
        name: What.
    """

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Inventory:
    """What a database holds.

    Attributes:
        host: Whose database was asked.
        schemas: Their names.
        tables: Table or sequence → about how many rows it has.
        views: Views.
        routines: Functions, procedures, packages.
        events: Events.
        triggers: Triggers.
        accounts: Accounts, without root's and the server's own.
        roles: Roles.
    """

    host: str
    schemas: frozenset[str]
    tables: dict[Named, int]
    views: frozenset[Named]
    routines: frozenset[Named]
    events: frozenset[Named]
    triggers: frozenset[Named]
    accounts: frozenset[Account]
    roles: frozenset[str]


def parse_inventory(host: str, text: str) -> Inventory | None:
    """Read what the server said; None where it did not come to its end."""
    rows = parse_rows(text)
    if not rows or rows[-1][0] != "end":
        return None

    def named(kind: str) -> frozenset[Named]:
        return frozenset(Named(row[1], row[2]) for row in rows if row[0] == kind)

    return Inventory(
        host=host,
        schemas=frozenset(row[1] for row in rows if row[0] == "schema"),
        tables={Named(row[1], row[2]): int(row[3]) for row in rows if row[0] == "table"},
        views=named("view"),
        routines=named("routine"),
        events=named("event"),
        triggers=named("trigger"),
        accounts=frozenset(Account(row[1], row[2]) for row in rows if row[0] == "account"),
        roles=frozenset(row[1] for row in rows if row[0] == "role"),
    )


def read_inventory(shell: Shell, server: Server) -> Inventory | None:
    """Ask a server what it holds, for a minute at most and without a change; None where it does not answer that."""
    query = replace(server.statement(_SQL, timeout_s=60), ok=tuple(range(124)))
    answer = shell.run(query)
    return parse_inventory(shell.name, answer.stdout) if answer.exit_code == 0 else None
