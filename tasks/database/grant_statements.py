"""The statements of a grants file, read into what each account and role may do."""

from __future__ import annotations

from dataclasses import replace

from tasks.database.access import GRANT_OPTION, Account, Authentication
from tasks.database.grant_clauses import (
    ParsedGrants,
    native_password_hash,
    parse_grantees,
    parse_level,
    parse_option,
    parse_privileges,
    split_at_commas,
)
from tasks.database.statement_reader import Grantee, Reader
from tasks.database.statements import Statement, Token

# What a grants file may have; of SET, FLUSH and USE nothing is kept.
BEGINNINGS = ("GRANT", "CREATE", "ALTER", "SET", "REVOKE", "FLUSH", "DROP", "USE")
# Nobody of the file: whoever loads it, and everybody.
_NOT_NAMED = ("CURRENT_USER", "CURRENT_ROLE", "PUBLIC")


def _grant(reader: Reader, parsed: ParsedGrants, in_schema: str) -> None:
    what = reader.until("ON", "TO")
    if what and what[0].says("PROXY"):
        reader.until("TO")
        reader.accept("TO")
        parse_grantees(reader, parsed)
        return
    level = None
    if on := reader.accept("ON"):
        level = parse_level(reader, in_schema)
    if not reader.accept("TO"):
        raise reader.wrong("grants to nobody")
    grantees = parse_grantees(reader, parsed)
    option = parse_option(reader)
    if not on:
        _give_roles(parsed, what, grantees, option == "ADMIN")
        return
    if level is None:
        return
    if level.schema:
        parsed.schemas.add(level.schema)
    granted = parse_privileges(what) | (frozenset({GRANT_OPTION}) if option == "GRANT" else frozenset())
    for grantee in grantees:
        parsed.change(grantee, lambda access: access.with_privileges(level, granted))


def _give_roles(parsed: ParsedGrants, what: list[Token], grantees: list[Grantee], admin: bool) -> None:
    for part in split_at_commas(what):
        role = " ".join(token.text for token in part)
        parsed.granted_roles.add(role)
        for grantee in grantees:
            parsed.change(grantee, lambda access, role=role: access.with_role(role, admin))  # type: ignore[misc]


def _revoke(reader: Reader, parsed: ParsedGrants, in_schema: str) -> None:
    what = reader.until("ON", "FROM")
    level = parse_level(reader, in_schema) if (on := reader.accept("ON")) else None
    reader.until("FROM")
    reader.accept("FROM")
    for grantee in parse_grantees(reader, parsed):
        if level is not None:
            taken = parse_privileges(what)
            parsed.change(grantee, lambda access: access.without_privileges(level, taken))  # noqa: B023 - called at once
        elif not on and any(token.says("ALL") for token in what):
            parsed.change(grantee, lambda access: replace(access, privileges={}))
        elif not on:
            for part in split_at_commas(what):
                role = part[-1].text
                parsed.change(grantee, lambda access, role=role: access.without_role(role))  # type: ignore[misc]


def _create(reader: Reader, parsed: ParsedGrants) -> None:
    reader.accept("OR", "REPLACE")
    if reader.accept("ROLE"):
        reader.accept("IF", "NOT", "EXISTS")
        while True:
            parsed.created_roles.add(reader.grantee().user)
            if not reader.accept_sign(","):
                return
    elif reader.accept("USER"):
        reader.accept("IF", "NOT", "EXISTS")
        parsed.users |= set(parse_grantees(reader, parsed))
    else:
        raise reader.wrong("creates something that is no account and no role")


def _alter(reader: Reader, parsed: ParsedGrants) -> None:
    if reader.accept("USER"):
        reader.accept("IF", "EXISTS")
        parse_grantees(reader, parsed)


def _drop(reader: Reader, parsed: ParsedGrants) -> None:
    role = reader.accept("ROLE")
    if not role and not reader.accept("USER"):
        raise reader.wrong("drops something that is no account and no role")
    reader.accept("IF", "EXISTS")
    while True:
        grantee = reader.grantee()
        parsed.access.pop(grantee, None)
        parsed.users.discard(grantee)
        if role:
            parsed.created_roles.discard(grantee.user)
        if not reader.accept_sign(","):
            return


def _set(reader: Reader, parsed: ParsedGrants) -> None:
    if reader.accept("DEFAULT", "ROLE"):
        none = reader.accept("NONE")
        role = "" if none else reader.grantee().user
        parsed.granted_roles |= {role} - {""}
        if reader.accept("FOR"):
            for grantee in parse_grantees(reader, parsed):
                parsed.change(grantee, lambda access: replace(access, default_role=role))
    elif reader.accept("PASSWORD", "FOR"):
        grantee = reader.grantee()
        reader.accept_sign("=")
        plain = reader.accept("PASSWORD")
        reader.accept_sign("(")
        secret = reader.name()
        login = Authentication("mysql_native_password", native_password_hash(secret) if plain else secret)
        parsed.users.add(grantee)
        parsed.change(grantee, lambda access: replace(access, logins=(login,)))


def parse_statement(statement: Statement, parsed: ParsedGrants, in_schema: str) -> str:
    """Add what a statement says.

    Args:
        statement: One of `BEGINNINGS`.
        parsed: What was said before it.
        in_schema: The schema in use; empty where there is none.

    Returns:
        The schema in use after it.

    Raises:
        NotUnderstood: It is no statement that a server would take.
    """
    reader = Reader(statement)
    if reader.accept("USE"):
        return reader.name()
    if reader.accept("GRANT"):
        _grant(reader, parsed, in_schema)
    elif reader.accept("REVOKE"):
        _revoke(reader, parsed, in_schema)
    elif reader.accept("CREATE"):
        _create(reader, parsed)
    elif reader.accept("ALTER"):
        _alter(reader, parsed)
    elif reader.accept("DROP"):
        _drop(reader, parsed)
    elif reader.accept("SET"):
        _set(reader, parsed)
    return in_schema


def is_named(grantee: Grantee) -> bool:
    """Whether it is somebody of the file, and not whoever loads it, or everybody."""
    return grantee.host is not None or grantee.user.upper() not in _NOT_NAMED


def account_of(grantee: Grantee, parsed: ParsedGrants) -> Account:
    """An account, or a role: what is named without a host, and was never given one or a password, is a role."""
    if grantee.host is not None:
        return Account(grantee.user, grantee.host)
    known = grantee in parsed.users or Grantee(grantee.user, "%") in parsed.users
    return Account(grantee.user, "%" if known and grantee.user not in parsed.created_roles else "")
