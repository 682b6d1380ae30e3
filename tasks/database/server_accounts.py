"""The accounts that a server has on record, and what they may do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from blocks.remote.command import Command
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.database.access import GRANT_OPTION, Access, Account, Authentication, Kind, Level, privilege
from tasks.database.batch_output import parse_rows
from tasks.database.mariadb import Server

# The tables and not SHOW GRANTS: with skip-name-resolve a server passes over accounts at a host name, though it keeps them. Their
# columns are named alike from 10.3 to 11.8, mysql.user being a view since 10.4.
_TABLES = ("user", "db", "tables_priv", "columns_priv", "procs_priv", "roles_mapping")
_SQL = "".join(f"SELECT '{table}' AS from_table, it.* FROM mysql.{table} AS it;\n" for table in _TABLES)  # noqa: S608 - names of our own
# Columns whose names say another privilege than GRANT does.
_PRIVILEGE_OF_COLUMN = {
    "create_tmp_table_priv": "CREATE TEMPORARY TABLES",
    "show_db_priv": "SHOW DATABASES",
    "repl_slave_priv": "REPLICATION SLAVE",
    "repl_client_priv": "REPLICATION CLIENT",
    "grant_priv": GRANT_OPTION,
    "delete_history_priv": "DELETE HISTORY",
}
# In the SET columns of tables and routines.
_PRIVILEGE_OF_SET_MEMBER = {"GRANT": GRANT_OPTION, "DELETE VERSIONING ROWS": "DELETE HISTORY"}
_OBJECT_KINDS = ("table", "function", "procedure", "package", "package body")


@dataclass(frozen=True)
class ServerAccounts:
    """What a server has on record.

    Attributes:
        access: Account or role → what it may do.
        privilege_columns: `global` and `schema` → the privileges that its tables have a column for: others can't be compared.
    """

    access: Mapping[Account, Access]
    privilege_columns: Mapping[str, frozenset[str]] = field(default_factory=dict)


def _rows(text: str) -> Iterator[dict[str, str]]:
    """Each row as column → value; before each table's rows its columns are named."""
    columns: list[str] = []
    for values in parse_rows(text):
        if values[0] == "from_table":
            columns = [value.lower() for value in values]
        else:
            yield dict(zip(columns, values, strict=False))


def _privilege_of_column(column: str) -> str:
    return _PRIVILEGE_OF_COLUMN.get(column, column.removesuffix("_priv").replace("_", " ").upper())


def _privilege_columns(row: Mapping[str, str]) -> frozenset[str]:
    return frozenset(_privilege_of_column(column) for column in row if column.endswith("_priv"))


def _granted_privileges(row: Mapping[str, str]) -> frozenset[str]:
    return frozenset(
        _privilege_of_column(column) for column, value in row.items() if column.endswith("_priv") and value == "Y"
    )


def _privileges_of_set(value: str) -> frozenset[str]:
    members = (privilege(member) for member in value.split(",") if member)
    return frozenset(_PRIVILEGE_OF_SET_MEMBER.get(member, member) for member in members)


def _authentication(row: Mapping[str, str]) -> Authentication:
    password_hash = row.get("authentication_string") or row.get("password") or ""
    return Authentication(row.get("plugin") or "mysql_native_password", password_hash.removeprefix("NULL"))


class _AccountsReader:
    """Puts together what the rows say of each account."""

    def __init__(self) -> None:
        self.access: dict[Account, Access] = {}
        self.privilege_columns: dict[str, frozenset[str]] = {}

    def add(self, row: Mapping[str, str]) -> None:
        account = Account(row.get("user", ""), row.get("host", ""))
        have = self.access.get(account, Access())
        match row["from_table"]:
            case "user":
                self.privilege_columns["global"] = _privilege_columns(row)
                role = row.get("default_role", "")
                have = Access(have.privileges, have.roles, "" if role == "NULL" else role, (_authentication(row),))
                have = have.with_privileges(Level("global"), _granted_privileges(row))
            case "db":
                self.privilege_columns["schema"] = _privilege_columns(row)
                have = have.with_privileges(Level("schema", row["db"]), _granted_privileges(row))
            case "tables_priv":
                have = have.with_privileges(
                    Level("table", row["db"], row["table_name"]), _privileges_of_set(row["table_priv"])
                )
            case "columns_priv":
                on_column = frozenset(
                    f"{name}({row['column_name']})" for name in _privileges_of_set(row["column_priv"])
                )
                have = have.with_privileges(Level("table", row["db"], row["table_name"]), on_column)
            case "procs_priv":
                level = Level(_kind(row["routine_type"]), row["db"], row["routine_name"])
                have = have.with_privileges(level, _privileges_of_set(row["proc_priv"]))
            case "roles_mapping":
                have = have.with_role(row["role"], row["admin_option"] == "Y")
        self.access[account] = have


def _kind(routine_type: str) -> Kind:
    word = routine_type.lower()
    return next((kind for kind in ("function", "procedure", "package body", "package") if kind == word), "procedure")


def parse_server_accounts(text: str) -> ServerAccounts:
    """Read the server's tables of accounts."""
    reader = _AccountsReader()
    for row in _rows(text):
        reader.add(row)
    return ServerAccounts(reader.access, reader.privilege_columns)


def read_server_accounts(shell: Shell, server: Server) -> ServerAccounts:
    """Ask a server for its accounts and all that they may do; their password hashes stay in this process.

    Raises:
        HostError: It does not answer, or has none.
    """
    query = Command(server.client("--batch"), stdin=_SQL, stdin_is="SQL: read the accounts", quiet=True)
    found = parse_server_accounts(shell.run(query).stdout)
    if not found.access:
        raise HostError(shell.name, "the server lists no accounts")
    return found


def read_missing_objects(shell: Shell, server: Server, levels: Collection[Level]) -> frozenset[Level]:
    """Those of these tables and routines that the server does not have; other levels are none."""
    wanted = {level for level in levels if level.kind in _OBJECT_KINDS}
    if not wanted:
        return frozenset()
    sql = (
        "SELECT 'table', table_schema, table_name FROM information_schema.tables UNION ALL "
        "SELECT LOWER(routine_type), routine_schema, routine_name FROM information_schema.routines"
    )
    there: set[Level] = set()
    for kind, schema, name in parse_rows(shell.run(server.statement(sql)).stdout):
        there.add(Level("table" if kind == "table" else _kind(kind), schema, name))
    return frozenset(wanted - there)
