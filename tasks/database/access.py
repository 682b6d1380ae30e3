"""What accounts and roles may do, in one form for what grants say and for what a server has on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["global", "schema", "table", "function", "procedure", "package", "package body"]
ALL, GRANT_OPTION = "ALL PRIVILEGES", "GRANT OPTION"
# The same right under the name that another version gives it (10.5 has renamed some).
_ALIASES = {
    "ALL": ALL,
    "BINLOG MONITOR": "REPLICATION CLIENT",
    "DELETE VERSIONING ROWS": "DELETE HISTORY",
    "REPLICA MONITOR": "SLAVE MONITOR",
    "REPLICATION REPLICA": "REPLICATION SLAVE",
    "REPLICATION REPLICA ADMIN": "REPLICATION SLAVE ADMIN",
}


@dataclass(frozen=True, order=True)
class Account:
    """An account, or a role, whose host is empty. Hosts are compared as MariaDB keeps them: in small letters."""

    user: str
    host: str

    def __post_init__(self) -> None:
        """Write the host as the server does."""
        object.__setattr__(self, "host", self.host.lower())

    def __str__(self) -> str:
        return f"'{self.user}'@'{self.host}'" if self.host else f"role {self.user}"


@dataclass(frozen=True, order=True)
class Level:
    """What a privilege is for.

    Attributes:
        kind: Everything, a schema, or one thing in a schema.
        schema: Of a grant on a schema it is a pattern: `_` and `%` stand for more, unless a backslash is before them.
        name: Of the table or routine.
    """

    kind: Kind
    schema: str = ""
    name: str = ""

    def __str__(self) -> str:
        if self.kind == "global":
            return "*.*"
        if self.kind == "schema":
            return f"{self.schema}.*"
        return f"{'' if self.kind == 'table' else self.kind + ' '}{self.schema}.{self.name}"


@dataclass(frozen=True)
class Authentication:
    """How an account logs in.

    Attributes:
        plugin: The authentication plugin.
        hash: What it compares with; None where that is not known.
    """

    plugin: str
    hash: str | None = field(repr=False)


@dataclass(frozen=True)
class Access:
    """What one account or role may do.

    Attributes:
        privileges: Level → its privileges, `GRANT OPTION` among them; a column's as `SELECT(host)`.
        roles: Roles that it is given → whether it may give them on.
        default_role: The one that it has from its login on.
        logins: Each way in which it may log in; empty where nothing is said.
    """

    privileges: Mapping[Level, frozenset[str]] = field(default_factory=dict)
    roles: Mapping[str, bool] = field(default_factory=dict)
    default_role: str = ""
    logins: tuple[Authentication, ...] = ()

    def with_privileges(self, level: Level, granted: frozenset[str]) -> Access:
        """The same with more privileges on one level."""
        have = self.privileges.get(level, frozenset())
        return replace(self, privileges={**self.privileges, level: have | granted})

    def without_privileges(self, level: Level, revoked: frozenset[str]) -> Access:
        """The same with fewer privileges on one level."""
        have = self.privileges.get(level, frozenset())
        left = (have & {GRANT_OPTION}) - revoked if ALL in revoked else have - revoked
        return replace(self, privileges={**self.privileges, level: left})

    def with_role(self, role: str, admin: bool) -> Access:
        """The same with a role."""
        return replace(self, roles={**self.roles, role: admin or self.roles.get(role, False)})

    def without_role(self, role: str) -> Access:
        """The same without a role."""
        return replace(self, roles={name: admin for name, admin in self.roles.items() if name != role})


def privilege(text: str) -> str:
    """The name that stands for a privilege under all its names."""
    words = " ".join(text.upper().split())
    words = ALL if words == ALL else words
    return _ALIASES.get(words, words)


def is_native(login: Authentication) -> bool:
    """Whether it is a password of the usual kind, whose hash can be compared."""
    return login.plugin in {"", "mysql_native_password", "mysql_old_password"}
