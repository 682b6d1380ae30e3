"""The grants file that goes with a dump: every account and role but root and the server's own, as statements.

In place of the documented loop over `SHOW GRANTS` (BR 1.5 step 3; the role's `db_backup.yml`), which passes over accounts at host
names and with wildcards, over roles, and over what `SHOW GRANTS` does not say: limits, locks, and, until 10.4, default roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from blocks.remote.command import Command
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.database.access import GRANT_OPTION, Access, Account, Level
from tasks.database.accounts import OnRecord, read_on_record
from tasks.database.contents_sql import OWN_ACCOUNTS
from tasks.database.mariadb import Server

_OWN = ", ".join(f"'{name}'" for name in OWN_ACCOUNTS)
_ESCAPED = {"n": "\n", "t": "\t", "0": "\0"}

# With skip-name-resolve a server that was restarted since does not know accounts at a host name (error 1133, 1141), though its
# tables have them, and its successor may: for these `made` is what SHOW CREATE USER would have said. An account with several
# ways to log in has the first alone there. The server must not end at what it does not know.
_SQL = f"""
SET NAMES utf8mb4;
SET SESSION sql_mode = '', sql_quote_show_create = ON, wsrep_dirty_reads = ON, max_statement_time = 0;
DELIMITER //
BEGIN NOT ATOMIC
  DECLARE locked_users LONGTEXT DEFAULT '';
  DECLARE CONTINUE HANDLER FOR 1133, 1141, 1269 SET @known = FALSE;
  IF EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = 'mysql' AND table_name = 'global_priv') THEN
    EXECUTE IMMEDIATE 'SELECT GROUP_CONCAT(HEX(CONCAT(user, ''@'', host))) INTO @locked FROM mysql.global_priv
      WHERE JSON_VALUE(priv, ''$.account_locked'')';
    SET locked_users = COALESCE(@locked, '');
  END IF;
  FOR it IN (SELECT user FROM mysql.user WHERE is_role = 'Y' AND user NOT IN ({_OWN}) ORDER BY user) DO
    SELECT 'role', it.user;
    EXECUTE IMMEDIATE CONCAT('SHOW GRANTS FOR ', CONCAT('`', REPLACE(it.user, '`', '``'), '`'));
  END FOR;
  FOR it IN (SELECT * FROM mysql.user WHERE is_role = 'N' AND user NOT IN ({_OWN}) ORDER BY user, host) DO
    SET @name = CONCAT(QUOTE(it.user), '@', QUOTE(it.host)), @known = TRUE;
    SELECT 'account', it.user, it.host;
    EXECUTE IMMEDIATE CONCAT('SHOW CREATE USER ', @name);
    IF @known THEN
      EXECUTE IMMEDIATE CONCAT('SHOW GRANTS FOR ', @name);
    ELSE
      SELECT 'made', CONCAT('CREATE USER ', @name,
        IF(it.plugin IN ('', 'mysql_native_password'),
          CONCAT(' IDENTIFIED BY PASSWORD ', QUOTE(IF(it.authentication_string <> '', it.authentication_string, it.password))),
          CONCAT(' IDENTIFIED VIA ', it.plugin, ' USING ', QUOTE(it.authentication_string))),
        CASE it.ssl_type WHEN 'ANY' THEN ' REQUIRE SSL' WHEN 'X509' THEN ' REQUIRE X509' WHEN 'SPECIFIED' THEN
          CONCAT(' REQUIRE ', CONCAT_WS(' AND ', IF(it.ssl_cipher <> '', CONCAT('CIPHER ', QUOTE(it.ssl_cipher)), NULL),
            IF(it.x509_issuer <> '', CONCAT('ISSUER ', QUOTE(it.x509_issuer)), NULL),
            IF(it.x509_subject <> '', CONCAT('SUBJECT ', QUOTE(it.x509_subject)), NULL))) ELSE '' END,
        ' WITH MAX_QUERIES_PER_HOUR ', it.max_questions, ' MAX_UPDATES_PER_HOUR ', it.max_updates,
        ' MAX_CONNECTIONS_PER_HOUR ', it.max_connections, ' MAX_USER_CONNECTIONS ', it.max_user_connections,
        ' MAX_STATEMENT_TIME ', it.max_statement_time,
        IF(FIND_IN_SET(HEX(CONCAT(it.user, '@', it.host)), locked_users), ' ACCOUNT LOCK', ''),
        IF(it.password_expired = 'Y', ' PASSWORD EXPIRE', ''));
    END IF;
  END FOR;
  SELECT 'end';
END//
DELIMITER ;
"""  # noqa: S608 - names of our own


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), text, flags=re.DOTALL)


def write_grants(said: str, found: OnRecord) -> str | None:
    """Put together a grants file, of which `tasks.database.grants` reads every statement.

    Args:
        said: The server's answer; None is returned where it did not come to its end.
        found: What its tables hold: what accounts may do that the server does not know, and everybody's default role.
    """
    creates: list[str] = []
    grants: dict[str, None] = {}
    lines = [line.split("\t") for line in said.removesuffix("\n").split("\n")]
    if lines[-1] != ["end"]:
        return None
    account = Account("", "")
    for line in lines[:-1]:
        match [_unescaped(value) for value in line]:
            case ["role", name]:
                creates.append(f"CREATE OR REPLACE ROLE {_quoted(name)};")
            case ["account", user, host]:
                account = Account(user, host)
            case ["made", create]:
                creates.append(_replacing(create))
                grants.update(dict.fromkeys(_from_tables(account, found.access.get(account, Access()))))
            case [statement] if statement.startswith("CREATE USER "):
                creates.append(_replacing(statement))
            case [statement]:
                grants[f"{statement};"] = None
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
    ask = Command(
        server.client("--batch", "--skip-column-names", "--default-character-set=utf8mb4"),
        stdin=_SQL,
        stdin_is="SQL: read the accounts as statements",
        quiet=True,
        changes=False,
    )
    text = write_grants(shell.run(ask).stdout, read_on_record(shell, server))
    if text is None:
        raise HostError(shell.name, "the server did not list its accounts to the end", "see its log")
    return text
