"""A grants file: whether it is whole, who is in it, and what it says that they may do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from blocks.remote.command import script
from blocks.remote.shell import Shell
from tasks.database.access import Access, Account
from tasks.database.dumps import File, undecodable
from tasks.database.grant_clauses import ParsedGrants
from tasks.database.grant_statements import BEGINNINGS, account_of, is_named, parse_statement
from tasks.database.statement_reader import CutShort, NotUnderstood
from tasks.database.statements import Statement, split
from tasks.engine.checks import Check

# Grants of a cloud have some kilobytes; a dump that is given in their place is not read into memory.
_LARGEST_BYTES = 64 * 1024**2
# `mysql --batch` (and so the documented `-s -N`) doubles each backslash that it prints, unless it is told --raw. In a name of a
# schema one keeps an underscore from standing for any letter: with two of them the privilege is for another schema. In a
# string both forms are the same to the server, so that both can be undone wherever they stand.
_DOUBLED = re.compile(r"\\\\(?=[_%])")
_UNDO_DOUBLED = r"s/\\\\\([_%]\)/\\\1/g"
# The line of a newer mysqldump by which its client goes into a sandbox; older clients end at it.
_SANDBOX = re.compile(r"^/\*M?!999999.*", re.MULTILINE)
_DROP_SANDBOX = r"s/^\/\*M\{0,1\}!999999.*//"


@dataclass(frozen=True)
class Grants:
    """What a grants file holds.

    Attributes:
        accounts: Those that it creates or grants to.
        roles: Roles that it creates.
        undefined_roles: Roles that it grants, grants to, or sets as default, without creating them: loading would stop there.
        access: Account or role → what it may do, with password hashes.
        schemas: The schemas that its privileges are for, as patterns.
        doubled: Whether it was written with each backslash doubled.
        sandbox: Whether it asks the client for its sandbox mode.
    """

    accounts: tuple[Account, ...]
    roles: tuple[str, ...]
    undefined_roles: tuple[str, ...]
    access: Mapping[Account, Access] = field(default_factory=dict, repr=False)
    schemas: tuple[str, ...] = ()
    doubled: bool = False
    sandbox: bool = False

    @property
    def edit(self) -> str:
        """What sed has to change in a copy, so that any client loads it; empty for nothing."""
        return ";".join(
            edit for edit, wanted in ((_UNDO_DOUBLED, self.doubled), (_DROP_SANDBOX, self.sandbox)) if wanted
        )


def check_grants_file(host: str, file: File) -> Check:
    """Look whether a file may be read as grants.

    Args:
        host: Where it lies.
        file: Both its ends.
    """
    name = "grants"
    if file.size < 0:
        return Check(name, host, "", f"grants {file.path} do not exist on the first controller")
    if file.size == 0:
        return Check(name, host, "", f"grants {file.path} are empty")
    if file.size > _LARGEST_BYTES:
        size = f"{file.size / 1024**2:,.0f} MiB"
        return Check(name, host, "", f"grants {file.path} have {size}, more than any grants: is this the dump?")
    if encoding := undecodable(file):
        what, hint = encoding
        return Check(name, host, "", f"grants {file.path} are {what}", hint)
    return Check(name, host, f"{file.path} have {file.size:,} bytes")


def parse_grants(text: str) -> Grants:
    """Read the statements of a grants file.

    Raises:
        CutShort: It ends in the middle of a statement.
        NotUnderstood: A statement is none of a grants file.
    """
    parsed, in_schema, begun = ParsedGrants(), "", False
    doubled = _DOUBLED.search(text) is not None
    for statement in split(_DOUBLED.sub(r"\\", text)):
        _refuse_unless_grants(statement)
        begun = begun or statement.tokens[0].says("GRANT", "CREATE", "ALTER")
        in_schema = parse_statement(statement, parsed, in_schema)
    if not begun:
        raise NotUnderstood(1, "begins a file without a GRANT and without a CREATE USER")
    access: dict[Account, Access] = {}
    for grantee, allowed in parsed.access.items():
        if is_named(grantee):
            account = account_of(grantee, parsed)
            access[account] = _merged(access.get(account), allowed)
    accounts = {account for account in access if account.host} | {
        account_of(user, parsed) for user in parsed.users if is_named(user)
    }
    granted_to = {account.user for account in access if not account.host}
    undefined = (parsed.granted_roles | granted_to) - parsed.created_roles
    return Grants(
        tuple(sorted(accounts)),
        tuple(sorted(parsed.created_roles)),
        tuple(sorted(undefined)),
        access,
        tuple(sorted(parsed.schemas)),
        doubled,
        _SANDBOX.search(text) is not None,
    )


def _refuse_unless_grants(statement: Statement) -> None:
    if not statement.tokens:
        raise CutShort(statement.line)
    if not statement.tokens[0].says(*BEGINNINGS):
        heading = statement.tokens[0].says("GRANTS")
        hint = ": a heading of SHOW GRANTS; take them again with `mysql -N`" if heading else ""
        raise NotUnderstood(statement.line, f"is no statement of a grants file{hint}")
    if not statement.whole:
        raise CutShort(statement.line)


def _merged(first: Access | None, second: Access) -> Access:
    """Put together what was said of one account under two names (with and without its host)."""
    if first is None:
        return second
    merged = first
    for level, granted in second.privileges.items():
        merged = merged.with_privileges(level, granted)
    for role, admin in second.roles.items():
        merged = merged.with_role(role, admin)
    return Access(
        merged.privileges, merged.roles, second.default_role or first.default_role, second.logins or first.logins
    )


def read_grants(shell: Shell, path: str) -> Grants:
    """Read a grants file; its password hashes stay in this process.

    Raises:
        NotUnderstood: It has something that is no statement of a grants file, or ends in the middle of one.
    """
    return parse_grants(shell.run(script('cat "$1"', path, quiet=True, changes=False)).stdout)
