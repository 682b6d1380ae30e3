"""The statements of a grants file, read into what each account and role may do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from tasks.database.access import GRANT_OPTION, Access, Account, Authentication, Kind, Level, privilege
from tasks.database.statement_reader import Grantee, Reader
from tasks.database.statements import Statement, Token

# What a grants file may have; of SET, FLUSH and USE nothing is kept.
BEGINNINGS = ("GRANT", "CREATE", "ALTER", "SET", "REVOKE", "FLUSH", "DROP", "USE")
_KINDS: dict[str, Kind] = {"FUNCTION": "function", "PROCEDURE": "procedure", "PACKAGE": "package", "TABLE": "table"}
# What may come behind the names of a GRANT.
_BEHIND = ("WITH", "REQUIRE", "ACCOUNT", "PASSWORD")
# Nobody of the file: whoever loads it, and everybody.
_NOT_NAMED = ("CURRENT_USER", "CURRENT_ROLE", "PUBLIC")


@dataclass
class Read:
    """What the statements said so far.

    Attributes:
        access: Grantee → what it may do.
        users: Those that were created or named with a host or with a password, so that they are no roles.
        roles: Roles that were created.
        given: Roles that were given to somebody, or set as default.
        schemas: Schemas that privileges are for, as patterns.
    """

    access: dict[Grantee, Access] = field(default_factory=dict)
    users: set[Grantee] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    schemas: set[str] = field(default_factory=set)

    def change(self, grantee: Grantee, by: Callable[[Access], Access]) -> None:
        """Change what somebody may do."""
        self.access[grantee] = by(self.access.get(grantee, Access()))


def _commas(tokens: list[Token]) -> Iterator[list[Token]]:
    """Split at the commas outside of brackets."""
    part: list[Token] = []
    depth = 0
    for token in tokens:
        depth += token.is_sign("(") - token.is_sign(")")
        if token.is_sign(",") and depth == 0:
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _privileges(tokens: list[Token]) -> frozenset[str]:
    """Read a list of privileges; of columns each is one."""
    found: set[str] = set()
    for part in _commas(tokens):
        words = [token.text for token in part if token.kind == "word"]
        bracket = next((number for number, token in enumerate(part) if token.is_sign("(")), None)
        if bracket is None:
            found.add(privilege(" ".join(words)))
            continue
        what = privilege(" ".join(token.text for token in part[:bracket]))
        found |= {f"{what}({token.text})" for token in part[bracket + 1 :] if token.kind != "sign"}
    return frozenset(found - {"USAGE"})


def _level(reader: Reader, in_schema: str) -> Level | None:
    """Read what a privilege is for; None where that is the schema in use and nobody knows which."""
    kind: Kind = next((_KINDS[word] for word in _KINDS if reader.accept(word)), "table")
    if kind == "package" and reader.accept("BODY"):
        kind = "package body"
    first = "*" if reader.accept_sign("*") else reader.name()
    if not reader.accept_sign("."):
        if not in_schema:
            return None
        return Level("schema", in_schema) if first == "*" else Level(kind, in_schema, first)
    if reader.accept_sign("*"):
        return Level("global") if first == "*" else Level("schema", first)
    return Level(kind, first, reader.name())


def hashed(password: str) -> str:
    """The hash that mysql_native_password keeps of a password."""
    if not password:
        return ""
    once = hashlib.sha1(password.encode()).digest()  # noqa: S324 - MariaDB's own
    return f"*{hashlib.sha1(once).hexdigest().upper()}"  # noqa: S324


def _login(reader: Reader) -> tuple[Authentication, ...]:
    """Read how somebody logs in, behind IDENTIFIED."""
    if reader.accept("BY", "PASSWORD"):
        return (Authentication("mysql_native_password", reader.name()),)
    if reader.accept("BY"):
        return (Authentication("mysql_native_password", hashed(reader.name())),)
    if not (reader.accept("VIA") or reader.accept("WITH")):
        raise reader.wrong("does not say by what somebody is identified")
    ways: list[Authentication] = []
    while not ways or reader.accept("OR"):
        plugin, secret = reader.name(), None
        if reader.accept("USING") or reader.accept("AS"):
            if reader.accept("PASSWORD"):
                reader.accept_sign("(")
                secret = hashed(reader.name()) if plugin == "mysql_native_password" else None
                if secret is None:
                    reader.take()
                reader.accept_sign(")")
            else:
                secret = reader.name()
        ways.append(Authentication(plugin, secret))
    return tuple(ways)


def _grantees(reader: Reader, read: Read) -> list[Grantee]:
    """Read who a statement is for, and how each logs in."""
    found: list[Grantee] = []
    while not found or reader.accept_sign(","):
        grantee = reader.grantee()
        if reader.accept_sign("("):
            reader.accept_sign(")")
        if grantee.host is not None:
            read.users.add(grantee)
        found.append(grantee)
        if reader.accept("IDENTIFIED"):
            logins = _login(reader)
            read.users.add(grantee)
            read.change(grantee, lambda have, logins=logins: replace(have, logins=logins))  # type: ignore[misc]
        else:
            read.change(grantee, lambda have: have)
    return found


def _grant(reader: Reader, read: Read, in_schema: str) -> None:
    what = reader.until("ON", "TO")
    if what and what[0].says("PROXY"):
        reader.until("TO")
        reader.accept("TO")
        _grantees(reader, read)
        return
    level = None
    if on := reader.accept("ON"):
        level = _level(reader, in_schema)
    if not reader.accept("TO"):
        raise reader.wrong("grants to nobody")
    grantees = _grantees(reader, read)
    option = _option(reader)
    if not on:
        _give_roles(read, what, grantees, option == "ADMIN")
        return
    if level is None:
        return
    if level.schema:
        read.schemas.add(level.schema)
    granted = _privileges(what) | (frozenset({GRANT_OPTION}) if option == "GRANT" else frozenset())
    for grantee in grantees:
        read.change(grantee, lambda have: have.with_privileges(level, granted))


def _option(reader: Reader) -> str:
    """Read what is behind the names: GRANT or ADMIN, where a statement gives that option."""
    found = ""
    while (token := reader.next) is not None:
        if not token.says(*_BEHIND):
            raise reader.wrong(f"goes on with {token.text!r} behind its end: is a semicolon missing?")
        reader.take()
        for option in ("GRANT", "ADMIN"):
            found = option if reader.accept(option, "OPTION") else found
        reader.until(*_BEHIND)
    return found


def _give_roles(read: Read, what: list[Token], grantees: list[Grantee], admin: bool) -> None:
    for part in _commas(what):
        role = " ".join(token.text for token in part)
        read.given.add(role)
        for grantee in grantees:
            read.change(grantee, lambda have, role=role: have.with_role(role, admin))  # type: ignore[misc]


def _revoke(reader: Reader, read: Read, in_schema: str) -> None:
    what = reader.until("ON", "FROM")
    level = _level(reader, in_schema) if (on := reader.accept("ON")) else None
    reader.until("FROM")
    reader.accept("FROM")
    for grantee in _grantees(reader, read):
        if level is not None:
            taken = _privileges(what)
            read.change(grantee, lambda have: have.without_privileges(level, taken))  # noqa: B023 - called at once
        elif not on and any(token.says("ALL") for token in what):
            read.change(grantee, lambda have: replace(have, privileges={}))
        elif not on:
            for part in _commas(what):
                role = part[-1].text
                read.change(grantee, lambda have, role=role: have.without_role(role))  # type: ignore[misc]


def _create(reader: Reader, read: Read) -> None:
    reader.accept("OR", "REPLACE")
    if reader.accept("ROLE"):
        reader.accept("IF", "NOT", "EXISTS")
        while True:
            read.roles.add(reader.grantee().user)
            if not reader.accept_sign(","):
                return
    elif reader.accept("USER"):
        reader.accept("IF", "NOT", "EXISTS")
        read.users |= set(_grantees(reader, read))
    else:
        raise reader.wrong("creates something that is no account and no role")


def _alter(reader: Reader, read: Read) -> None:
    if reader.accept("USER"):
        reader.accept("IF", "EXISTS")
        _grantees(reader, read)


def _drop(reader: Reader, read: Read) -> None:
    role = reader.accept("ROLE")
    if not role and not reader.accept("USER"):
        raise reader.wrong("drops something that is no account and no role")
    reader.accept("IF", "EXISTS")
    while True:
        grantee = reader.grantee()
        read.access.pop(grantee, None)
        read.users.discard(grantee)
        if role:
            read.roles.discard(grantee.user)
        if not reader.accept_sign(","):
            return


def _set(reader: Reader, read: Read) -> None:
    if reader.accept("DEFAULT", "ROLE"):
        none = reader.accept("NONE")
        role = "" if none else reader.grantee().user
        read.given |= {role} - {""}
        if reader.accept("FOR"):
            for grantee in _grantees(reader, read):
                read.change(grantee, lambda have: replace(have, default_role=role))
    elif reader.accept("PASSWORD", "FOR"):
        grantee = reader.grantee()
        reader.accept_sign("=")
        plain = reader.accept("PASSWORD")
        reader.accept_sign("(")
        secret = reader.name()
        login = Authentication("mysql_native_password", hashed(secret) if plain else secret)
        read.users.add(grantee)
        read.change(grantee, lambda have: replace(have, logins=(login,)))


def read_statement(statement: Statement, read: Read, in_schema: str) -> str:
    """Add what a statement says.

    Args:
        statement: One of `BEGINNINGS`.
        read: What was said before it.
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
        _grant(reader, read, in_schema)
    elif reader.accept("REVOKE"):
        _revoke(reader, read, in_schema)
    elif reader.accept("CREATE"):
        _create(reader, read)
    elif reader.accept("ALTER"):
        _alter(reader, read)
    elif reader.accept("DROP"):
        _drop(reader, read)
    elif reader.accept("SET"):
        _set(reader, read)
    return in_schema


def is_named(grantee: Grantee) -> bool:
    """Whether it is somebody of the file, and not whoever loads it, or everybody."""
    return grantee.host is not None or grantee.user.upper() not in _NOT_NAMED


def account_of(grantee: Grantee, read: Read) -> Account:
    """An account, or a role: what is named without a host, and was never given one or a password, is a role."""
    if grantee.host is not None:
        return Account(grantee.user, grantee.host)
    known = grantee in read.users or Grantee(grantee.user, "%") in read.users
    return Account(grantee.user, "%" if known and grantee.user not in read.roles else "")
