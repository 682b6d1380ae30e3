"""The grants file that goes with a dump: every account and role but root and the server's own, as statements.

In place of the documented loop over `SHOW GRANTS` (BR 1.5 step 3; the role's `db_backup.yml`), which passes over accounts at host
names and with wildcards, over roles, and over what `SHOW GRANTS` does not say: limits, locks, and, until 10.4, default roles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from blocks.remote.command import Command
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.database.access import GRANT_OPTION, Access, Account, Level
from tasks.database.batch_output import parse_rows
from tasks.database.contents_sql import OWN_ACCOUNTS
from tasks.database.mariadb import Server
from tasks.database.server_accounts import ServerAccounts, read_server_accounts

_OWN = ", ".join(f"'{name}'" for name in OWN_ACCOUNTS)

# With skip-name-resolve a server that was restarted since does not know accounts at a host name (errors 1133, 1141), though its
# tables have them, and its successor may: for these there is what SHOW CREATE USER would have said. Of several ways to log in
# it has the first alone. Until 10.3 no account can be locked.
_ACCOUNTS = f"""
SET NAMES utf8mb4;
SET SESSION sql_mode = '', wsrep_dirty_reads = ON, max_statement_time = 0, group_concat_max_len = 67108864;
DELIMITER //
BEGIN NOT ATOMIC
  SET @locked = '';
  IF EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = 'mysql' AND table_name = 'global_priv') THEN
    EXECUTE IMMEDIATE 'SELECT GROUP_CONCAT(HEX(CONCAT(user, "@", host))) INTO @locked FROM mysql.global_priv
      WHERE JSON_VALUE(priv, "$.account_locked")';
  END IF;
END//
DELIMITER ;
SELECT 'role', user FROM mysql.user WHERE is_role = 'Y' AND user NOT IN ({_OWN}) ORDER BY user;
SELECT 'account', user, host, CONCAT('CREATE USER ', QUOTE(user), '@', QUOTE(host),
  IF(plugin IN ('', 'mysql_native_password'),
    CONCAT(' IDENTIFIED BY PASSWORD ', QUOTE(IF(authentication_string <> '', authentication_string, password))),
    CONCAT(' IDENTIFIED VIA ', plugin, ' USING ', QUOTE(authentication_string))),
  CASE ssl_type WHEN 'ANY' THEN ' REQUIRE SSL' WHEN 'X509' THEN ' REQUIRE X509' WHEN 'SPECIFIED' THEN
    CONCAT(' REQUIRE ', CONCAT_WS(' AND ', IF(ssl_cipher <> '', CONCAT('CIPHER ', QUOTE(ssl_cipher)), NULL),
      IF(x509_issuer <> '', CONCAT('ISSUER ', QUOTE(x509_issuer)), NULL),
      IF(x509_subject <> '', CONCAT('SUBJECT ', QUOTE(x509_subject)), NULL))) ELSE '' END,
  ' WITH MAX_QUERIES_PER_HOUR ', max_questions, ' MAX_UPDATES_PER_HOUR ', max_updates,
  ' MAX_CONNECTIONS_PER_HOUR ', max_connections, ' MAX_USER_CONNECTIONS ', max_user_connections,
  ' MAX_STATEMENT_TIME ', max_statement_time,
  IF(COALESCE(FIND_IN_SET(HEX(CONCAT(user, '@', host)), @locked), 0), ' ACCOUNT LOCK', ''),
  IF(password_expired = 'Y', ' PASSWORD EXPIRE', ''))
  FROM mysql.user WHERE is_role = 'N' AND user NOT IN ({_OWN}) ORDER BY user, host;
SELECT 'end';
"""  # noqa: S608 - names of our own


@dataclass(frozen=True)
class Listed:
    """The accounts that a server's tables have.

    Attributes:
        roles: Names.
        accounts: Account → the statement that creates it, made from the tables.
    """

    roles: tuple[str, ...]
    accounts: Mapping[Account, str] = field(repr=False)

    @property
    def question(self) -> str:
        """The SQL that asks for each of them; an account that the server does not know is an error, and asked on after."""
        asks = [f"SHOW GRANTS FOR {_quoted(role)};" for role in self.roles]
        for number, account in enumerate(self.accounts):
            name = _name(account)
            asks.append(f"SELECT 'account', {number}; SHOW CREATE USER {name}; SHOW GRANTS FOR {name};")
        return "\n".join(
            ["SET NAMES utf8mb4; SET SESSION sql_mode = '', wsrep_dirty_reads = ON;", *asks, "SELECT 'end';"]
        )


def _rows(text: str) -> list[list[str]] | None:
    """The rows of an answer before its end; None where it has none."""
    rows = parse_rows(text)
    return rows[:-1] if rows and rows[-1] == ["end"] else None


def parse_listed(said: str) -> Listed | None:
    """Read the list of accounts; None where it has no end."""
    rows = _rows(said)
    if rows is None:
        return None
    roles = tuple(row[1] for row in rows if row[0] == "role")
    return Listed(roles, {Account(row[1], row[2]): row[3] for row in rows if row[0] == "account"})


def write_grants(listed: Listed, said: str, found: ServerAccounts) -> str | None:
    """Put together a grants file, of which `tasks.database.grants` reads every statement.

    Args:
        listed: All accounts and roles.
        said: The answer to `listed.question`; None is returned where it did not come to its end.
        found: What the tables hold: what accounts may do that the server does not know, and everybody's default role.
    """
    rows = _rows(said)
    if rows is None:
        return None
    creates = [f"CREATE OR REPLACE ROLE {_quoted(role)};" for role in listed.roles]
    accounts = list(listed.accounts)
    created: dict[Account, str] = {}
    grants: dict[str, None] = {}
    asked = Account("", "")
    for row in rows:
        if row[0] == "account":
            asked = accounts[int(row[1])]
        elif row[0].startswith("CREATE USER "):
            created[asked] = row[0]
        else:
            grants[f"{row[0]};"] = None
    for account, made in listed.accounts.items():
        creates.append(_replacing(created.get(account, made)))
        if account not in created:
            grants.update(dict.fromkeys(_from_tables(account, found.access.get(account, Access()))))
    return "\n".join([*creates, *grants, *_default_roles(found.access), ""])


def _replacing(create: str) -> str:
    return create.replace("CREATE USER", "CREATE OR REPLACE USER", 1) + ";"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _name(account: Account) -> str:
    return f"{_quoted(account.user)}@{_quoted(account.host)}" if account.host else _quoted(account.user)


def _from_tables(account: Account, access: Access) -> Iterator[str]:
    for role, admin in sorted(access.roles.items()):
        yield f"GRANT {_quoted(role)} TO {_name(account)}{' WITH ADMIN OPTION' if admin else ''};"
    for level, privileges in sorted(access.privileges.items()):
        words = sorted(_privilege(one) for one in privileges - {GRANT_OPTION}) or ["USAGE"]
        option = " WITH GRANT OPTION" if GRANT_OPTION in privileges else ""
        yield f"GRANT {', '.join(words)} ON {_on(level)} TO {_name(account)}{option};"


def _privilege(word: str) -> str:
    """One of a column has it in brackets: SELECT(host)."""
    what, bracket, column = word.partition("(")
    return f"{what} ({_quoted(column.removesuffix(')'))})" if bracket else what


def _on(level: Level) -> str:
    if level.kind == "global":
        return "*.*"
    if level.kind == "schema":
        return f"{_quoted(level.schema)}.*"
    return f"{'' if level.kind == 'table' else level.kind.upper() + ' '}{_quoted(level.schema)}.{_quoted(level.name)}"


def _default_roles(access: Mapping[Account, Access]) -> Iterator[str]:
    for account, may in sorted(access.items()):
        if may.default_role and account.host and account.user not in OWN_ACCOUNTS:
            yield f"SET DEFAULT ROLE {_quoted(may.default_role)} FOR {_name(account)};"


def read_grants_text(shell: Shell, server: Server) -> str:
    """Read the grants file of a server. It holds password hashes: it goes to the store on standard input, and nowhere else.

    Raises:
        HostError: The server did not come to the end of its answer.
    """
    listed = parse_listed(_ask(shell, server, _ACCOUNTS))
    text = None
    if listed is not None:
        text = write_grants(listed, _ask(shell, server, listed.question), read_server_accounts(shell, server))
    if text is None:
        raise HostError(shell.name, "the server did not list its accounts to the end", "see its log")
    return text


def _ask(shell: Shell, server: Server, sql: str) -> str:
    # Any exit code: the error of a failed command shows what it has printed, and that is password hashes.
    words = server.client("--batch", "--skip-column-names", "--default-character-set=utf8mb4", "--force")
    stdin_is = "SQL: read the accounts as statements"
    ask = Command(words, sql, stdin_is, ok=tuple(range(256)), quiet=True, changes=False)
    return shell.run(ask).stdout
