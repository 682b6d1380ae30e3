"""The accounts that a server has on record, and whether they may do what the grants said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from blocks.remote.command import Command
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.database.access import ALL, GRANT_OPTION, Access, Account, Authentication, Kind, Level, is_native, privilege
from tasks.database.grants import Grants
from tasks.database.mariadb import Server
from tasks.engine.change import Change, Wait

# The tables and not SHOW GRANTS: with skip-name-resolve a server passes over accounts at a host name, though it keeps them. Their
# columns are named alike from 10.3 to 11.8, mysql.user being a view since 10.4.
_TABLES = ("user", "db", "tables_priv", "columns_priv", "procs_priv", "roles_mapping")
_SQL = "".join(f"SELECT '{table}' AS told_by, it.* FROM mysql.{table} AS it;\n" for table in _TABLES)  # noqa: S608 - names of our own
# Columns whose names say another privilege than GRANT does.
_BY_COLUMN = {
    "create_tmp_table_priv": "CREATE TEMPORARY TABLES",
    "show_db_priv": "SHOW DATABASES",
    "repl_slave_priv": "REPLICATION SLAVE",
    "repl_client_priv": "REPLICATION CLIENT",
    "grant_priv": GRANT_OPTION,
    "delete_history_priv": "DELETE HISTORY",
}
# In the SET columns of tables and routines.
_BY_WORD = {"GRANT": GRANT_OPTION, "DELETE VERSIONING ROWS": "DELETE HISTORY"}
_TABLE_ALL = frozenset(
    ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "TRIGGER"]
) | {
    "CREATE VIEW",
    "SHOW VIEW",
}
_ROUTINE_ALL = frozenset({"EXECUTE", "ALTER ROUTINE"})
_ESCAPED = {"n": "\n", "t": "\t", "0": "\0"}
_NAMED = ("table", "function", "procedure", "package", "package body")


@dataclass(frozen=True)
class OnRecord:
    """What a server has on record.

    Attributes:
        access: Account or role → what it may do.
        known: The privileges that its tables have a column for, on all and on a schema: others can't be compared.
    """

    access: Mapping[Account, Access]
    known: Mapping[str, frozenset[str]] = field(default_factory=dict)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), text, flags=re.DOTALL)


def _rows(text: str) -> Iterator[dict[str, str]]:
    """Each row as column → value; before each table's rows its columns are named."""
    columns: list[str] = []
    for line in text.splitlines():
        values = [_unescaped(value) for value in line.split("\t")]
        if values[0] == "told_by":
            columns = [value.lower() for value in values]
        else:
            yield dict(zip(columns, values, strict=False))


def _by_column(column: str) -> str:
    return _BY_COLUMN.get(column, column.removesuffix("_priv").replace("_", " ").upper())


def _held(row: Mapping[str, str]) -> frozenset[str]:
    return frozenset(_by_column(column) for column, value in row.items() if column.endswith("_priv") and value == "Y")


def _words(value: str) -> frozenset[str]:
    words = (privilege(word) for word in value.split(",") if word)
    return frozenset(_BY_WORD.get(word, word) for word in words)


def _login(row: Mapping[str, str]) -> Authentication:
    compared_with = row.get("authentication_string") or row.get("password") or ""
    return Authentication(row.get("plugin") or "mysql_native_password", compared_with.removeprefix("NULL"))


class _Collector:
    def __init__(self) -> None:
        self.access: dict[Account, Access] = {}
        self.known: dict[str, frozenset[str]] = {}

    def add(self, row: Mapping[str, str]) -> None:
        account = Account(row.get("user", ""), row.get("host", ""))
        have = self.access.get(account, Access())
        match row["told_by"]:
            case "user":
                self.known["global"] = frozenset(_by_column(column) for column in row if column.endswith("_priv"))
                role = row.get("default_role", "")
                have = Access(have.privileges, have.roles, "" if role == "NULL" else role, (_login(row),))
                have = have.with_privileges(Level("global"), _held(row))
            case "db":
                self.known["schema"] = frozenset(_by_column(column) for column in row if column.endswith("_priv"))
                have = have.with_privileges(Level("schema", row["db"]), _held(row))
            case "tables_priv":
                have = have.with_privileges(Level("table", row["db"], row["table_name"]), _words(row["table_priv"]))
            case "columns_priv":
                of_column = frozenset(f"{word}({row['column_name']})" for word in _words(row["column_priv"]))
                have = have.with_privileges(Level("table", row["db"], row["table_name"]), of_column)
            case "procs_priv":
                level = Level(_kind(row["routine_type"]), row["db"], row["routine_name"])
                have = have.with_privileges(level, _words(row["proc_priv"]))
            case "roles_mapping":
                have = have.with_role(row["role"], row["admin_option"] == "Y")
        self.access[account] = have


def _kind(routine_type: str) -> Kind:
    word = routine_type.lower()
    return next((kind for kind in ("function", "procedure", "package body", "package") if kind == word), "procedure")


def parse_on_record(text: str) -> OnRecord:
    """Read the server's tables of accounts."""
    collector = _Collector()
    for row in _rows(text):
        collector.add(row)
    return OnRecord(collector.access, collector.known)


def read_on_record(shell: Shell, server: Server) -> OnRecord:
    """Ask a server for its accounts and all that they may do; their password hashes stay in this process.

    Raises:
        HostError: It does not answer, or has none.
    """
    ask = Command(server.client("--batch"), stdin=_SQL, stdin_is="SQL: read the accounts", quiet=True)
    found = parse_on_record(shell.run(ask).stdout)
    if not found.access:
        raise HostError(shell.name, "the server lists no accounts")
    return found


def missing_accounts(found: OnRecord, grants: Grants) -> list[str]:
    """Accounts of the grants that the server does not have, and anonymous ones that it should not have."""
    roles = [Account(role, "") for role in grants.roles]
    wrong = [f"account {account} is missing" for account in grants.accounts if account not in found.access]
    wrong += [f"{role} is missing" for role in roles if role not in found.access]
    anonymous = (account for account in sorted(found.access) if account.user == "" and account.host)
    return wrong + [f"anonymous account {account} is there" for account in anonymous]


def differences(found: OnRecord, grants: Grants, lost: frozenset[Level] = frozenset()) -> list[str]:
    """What accounts and roles may not do, or do in another way, though the grants said so.

    More than the grants said is no difference: a dump of the whole server brings accounts, too.

    Args:
        found: What the server has on record.
        grants: What the grants said.
        lost: Tables and routines that the server does not have: nothing can be granted on them.
    """
    return [
        f"{account} {what}"
        for account, said in sorted(grants.access.items())
        if account in found.access
        for what in _differs(account, said, found, lost)
    ]


def _differs(account: Account, said: Access, found: OnRecord, lost: frozenset[Level]) -> Iterator[str]:
    have = found.access[account]
    for level, wanted in sorted(said.privileges.items()):
        if level in lost:
            continue
        held = have.privileges.get(level, frozenset())
        lacking = _lacking(level, wanted, held, found.known)
        if lacking:
            yield f"has not on {level}: {', '.join(sorted(lacking))}"
    for role, admin in sorted(said.roles.items()):
        if role not in have.roles:
            yield f"has not the role {role}"
        elif admin and not have.roles[role]:
            yield f"may not give on the role {role}"
    if said.default_role and said.default_role != have.default_role:
        yield f"has not the default role {said.default_role}"
    # Root's password is the site's, whatever the grants say.
    if account.host and account.user != "root" and said.logins and not _may_log_in(said, have):
        yield "logs in with something else than the grants say (another password, or another plugin)"


def _may_log_in(said: Access, have: Access) -> bool:
    return any(_same_login(one, other) for one in said.logins for other in have.logins)


def _same_login(one: Authentication, other: Authentication) -> bool:
    same_plugin = one.plugin == other.plugin or (is_native(one) and is_native(other))
    return same_plugin and (one.hash is None or one.hash.upper() == (other.hash or "").upper())


def _lacking(
    level: Level, wanted: frozenset[str], held: frozenset[str], known: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    columns = known.get(level.kind, frozenset()) - {GRANT_OPTION}
    every = {"global": columns, "schema": columns, "table": _TABLE_ALL}.get(level.kind, _ROUTINE_ALL)
    if ALL in wanted:
        lacking = (every | (wanted & {GRANT_OPTION})) - held
        return frozenset({ALL}) if every and lacking >= every else lacking
    if level.kind in {"global", "schema"}:
        # What is new in 10.5 has no column.
        wanted &= columns | {GRANT_OPTION}
    return wanted - held


def _lost(shell: Shell, server: Server, grants: Grants) -> frozenset[Level]:
    """The tables and routines of the grants that the server does not have."""
    levels = {level for access in grants.access.values() for level in access.privileges if level.kind in _NAMED}
    if not levels:
        return frozenset()
    sql = (
        "SELECT 'table', table_schema, table_name FROM information_schema.tables UNION ALL "
        "SELECT LOWER(routine_type), routine_schema, routine_name FROM information_schema.routines"
    )
    there: set[Level] = set()
    for line in shell.run(server.statement(sql)).stdout.splitlines():
        kind, schema, name = (_unescaped(value) for value in line.split("\t"))
        there.add(Level("table" if kind == "table" else _kind(kind), schema, name))
    return frozenset(levels - there)


def check_accounts(server: Server, grants: Grants) -> Change:
    """Look whether every account of the grants is there, and no anonymous one; tell what any of them may not do."""

    def look(shell: Shell) -> str:
        return "; ".join(missing_accounts(read_on_record(shell, server), grants)) or "as in the grants"

    def tell(shell: Shell) -> list[str]:
        found = read_on_record(shell, server)
        told = differences(found, grants, _lost(shell, server, grants) if differences(found, grants) else frozenset())
        return [f"not as the grants say: {difference}" for difference in told]

    return Change(
        (),
        until=Wait("the accounts", "as in the grants", look, 1, "the dump and the grants do not belong together"),
        findings_after=tell,
    )
