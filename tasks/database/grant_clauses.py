"""The clauses of a grants file's statements: privileges, what they are for, who gets them, and how that one logs in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from tasks.database.access import Access, Authentication, Kind, Level, privilege
from tasks.database.statement_reader import Grantee, Reader
from tasks.database.statements import Token

_KINDS: dict[str, Kind] = {"FUNCTION": "function", "PROCEDURE": "procedure", "PACKAGE": "package", "TABLE": "table"}
# What may come behind the names of a GRANT.
_BEHIND_GRANTEES = ("WITH", "REQUIRE", "ACCOUNT", "PASSWORD")


@dataclass
class ParsedGrants:
    """What the statements said so far.

    Attributes:
        access: Grantee → what it may do.
        users: Those that were created or named with a host or with a password, so that they are no roles.
        created_roles: Roles that were created.
        granted_roles: Roles that were given to somebody, or set as default.
        schemas: Schemas that privileges are for, as patterns.
    """

    access: dict[Grantee, Access] = field(default_factory=dict)
    users: set[Grantee] = field(default_factory=set)
    created_roles: set[str] = field(default_factory=set)
    granted_roles: set[str] = field(default_factory=set)
    schemas: set[str] = field(default_factory=set)

    def change(self, grantee: Grantee, by: Callable[[Access], Access]) -> None:
        """Change what somebody may do."""
        self.access[grantee] = by(self.access.get(grantee, Access()))


def split_at_commas(tokens: list[Token]) -> Iterator[list[Token]]:
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


def parse_privileges(tokens: list[Token]) -> frozenset[str]:
    """Read a list of privileges; of columns each is one."""
    found: set[str] = set()
    for part in split_at_commas(tokens):
        words = [token.text for token in part if token.kind == "word"]
        bracket = next((number for number, token in enumerate(part) if token.is_sign("(")), None)
        if bracket is None:
            found.add(privilege(" ".join(words)))
            continue
        what = privilege(" ".join(token.text for token in part[:bracket]))
        found |= {f"{what}({token.text})" for token in part[bracket + 1 :] if token.kind != "sign"}
    return frozenset(found - {"USAGE"})


def parse_level(reader: Reader, in_schema: str) -> Level | None:
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


def native_password_hash(password: str) -> str:
    """The hash that mysql_native_password keeps of a password."""
    if not password:
        return ""
    once = hashlib.sha1(password.encode()).digest()  # noqa: S324 - MariaDB's own
    return f"*{hashlib.sha1(once).hexdigest().upper()}"  # noqa: S324


def parse_authentication(reader: Reader) -> tuple[Authentication, ...]:
    """Read how somebody logs in, behind IDENTIFIED."""
    if reader.accept("BY", "PASSWORD"):
        return (Authentication("mysql_native_password", reader.name()),)
    if reader.accept("BY"):
        return (Authentication("mysql_native_password", native_password_hash(reader.name())),)
    if not (reader.accept("VIA") or reader.accept("WITH")):
        raise reader.wrong("does not say by what somebody is identified")
    authentications: list[Authentication] = []
    while not authentications or reader.accept("OR"):
        plugin, secret = reader.name(), None
        if reader.accept("USING") or reader.accept("AS"):
            if reader.accept("PASSWORD"):
                reader.accept_sign("(")
                secret = native_password_hash(reader.name()) if plugin == "mysql_native_password" else None
                if secret is None:
                    reader.take()
                reader.accept_sign(")")
            else:
                secret = reader.name()
        authentications.append(Authentication(plugin, secret))
    return tuple(authentications)


def parse_grantees(reader: Reader, parsed: ParsedGrants) -> list[Grantee]:
    """Read who a statement is for, and how each logs in."""
    found: list[Grantee] = []
    while not found or reader.accept_sign(","):
        grantee = reader.grantee()
        if reader.accept_sign("("):
            reader.accept_sign(")")
        if grantee.host is not None:
            parsed.users.add(grantee)
        found.append(grantee)
        if reader.accept("IDENTIFIED"):
            logins = parse_authentication(reader)
            parsed.users.add(grantee)
            parsed.change(grantee, lambda access, logins=logins: replace(access, logins=logins))  # type: ignore[misc]
        else:
            parsed.change(grantee, lambda access: access)
    return found


def parse_option(reader: Reader) -> str:
    """Read what is behind the names: GRANT or ADMIN, where a statement gives that option."""
    found = ""
    while (token := reader.next) is not None:
        if not token.says(*_BEHIND_GRANTEES):
            raise reader.wrong(f"goes on with {token.text!r} behind its end: is a semicolon missing?")
        reader.take()
        for option in ("GRANT", "ADMIN"):
            found = option if reader.accept(option, "OPTION") else found
        reader.until(*_BEHIND_GRANTEES)
    return found
