"""Replacing some accounts and roles of a running server by those of a grants file.

An account is made anew (`CREATE OR REPLACE USER`), so that nothing is left that the file does not give it. A role is not: dropping
it would take it from everybody who has it; its privileges are revoked instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping

from blocks.remote.command import Command, script
from tasks.database.access import Account
from tasks.database.contents import AccountContents
from tasks.database.grant_clauses import ParsedGrants
from tasks.database.grant_statements import account_of, parse_statement
from tasks.database.mariadb import Server
from tasks.database.statement_reader import CutShort
from tasks.database.statements import split

_CREATE_ROLE = "CREATE OR REPLACE ROLE "
# SQL that was cut short by a lost connection could make an account without a password: nothing is run before all has arrived. What
# the client says may hold a password's hash. It goes on after an error: what is missing then, a comparison says account by account.
_RUN = """
sql=$(cat)
if [ "$(printf '%s' "$sql" | sha256sum | cut -d ' ' -f 1)" != "$1" ]; then
  echo 'the statements did not arrive whole: nothing was run'
  exit 65
fi
shift
printf '%s\\n' "$sql" | "$@" >/dev/null 2>&1 || :
"""
# What is there already is of an earlier attempt, which has begun to replace accounts since.
_KEEP = """
umask 077
install -d -m 700 "$(dirname "$1")"
[ ! -e "$1" ] || exit 0
cat >"$1.part"
printf '%s  %s\\n' "$2" "$1.part" | sha256sum --check --status || { echo 'the accounts did not arrive whole'; exit 65; }
sync "$1.part"
mv -T "$1.part" "$1"
"""


def statements_of(text: str) -> Iterator[tuple[Account, str]]:
    """Each statement of a grants file, which has one a line, with the account or role that it is about.

    Args:
        text: As `tasks.database.grants_dumping` writes it.

    Raises:
        CutShort: A line is no whole statement.
        NotUnderstood: It is none of a grants file.
    """
    everything = ParsedGrants()
    for statement in split(text):
        parse_statement(statement, everything, "")
    for number, line in enumerate(text.splitlines(), 1):
        said = ParsedGrants()
        for statement in split(line):
            if not statement.whole:
                raise CutShort(number)
            parse_statement(statement, said, "")
        named = {account_of(each, everything) for each in {*said.access, *said.users}}
        for account in named | {Account(role, "") for role in said.created_roles}:
            yield account, line


def replacing_sql(text: str, chosen: Collection[str], there: Mapping[str, AccountContents]) -> str:
    """The statements that make some accounts and roles what a grants file says; run twice, they do the same.

    Args:
        text: The grants file.
        chosen: `'user'@'host'`, or `role name`.
        there: What the server has: roles that a role is given there, and not by the file, are taken from it.
    """
    return "\n".join(
        line for account, said in statements_of(text) if str(account) in chosen for line in _lines(account, said, there)
    )


def _lines(account: Account, said: str, there: Mapping[str, AccountContents]) -> Iterator[str]:
    if not said.startswith(_CREATE_ROLE):
        yield said
        return
    role = said.removeprefix(_CREATE_ROLE).removesuffix(";")
    yield f"CREATE ROLE IF NOT EXISTS {role};"
    yield f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {role};"
    held = there.get(str(account))
    for other in sorted(held.roles if held else ()):
        yield f"REVOKE `{other.replace('`', '``')}` FROM {role};"


def replace_accounts(server: Server, sql: str) -> Command:
    """The command that runs such statements, to the last one.

    Args:
        server: A node of the cluster.
        sql: The statements; on standard input.
    """
    client = server.client(
        "--force", "--init-command=SET SESSION wsrep_OSU_method = 'TOI'", "--default-character-set=utf8mb4"
    )
    said, checksum = "SQL: accounts and roles as in the backup", hashlib.sha256(sql.encode()).hexdigest()
    return script(_RUN, checksum, *client, stdin=sql, stdin_is=said, quiet=True, timeout_s=600, says="replace accounts")


def keep_accounts(path: str, text: str) -> Command:
    """The command that leaves a grants file on the host, readable by root alone, unless it is there.

    Args:
        path: Where.
        text: The grants file; on standard input.
    """
    checksum = hashlib.sha256(text.encode()).hexdigest()
    stdin_is = "SQL: the accounts as they are"
    return script(
        _KEEP, path, checksum, stdin=text, stdin_is=stdin_is, quiet=True, says=f"write the accounts to {path}"
    )
