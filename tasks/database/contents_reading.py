"""Reading what is in a server: the answer to `contents_sql`, a row a line as `mysql --batch` prints it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from blocks.remote.command import Command, question
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.database.access import Account
from tasks.database.batch_output import parse_rows
from tasks.database.contents import ServerContents
from tasks.database.contents_sql import accounts_sql, contents_sql
from tasks.database.mariadb import Server

# The error of a failed command shows what it has printed, and a definition may hold a secret.
_ANY = tuple(range(256))
# In the line of a table's options, which is the first that begins with a bracket.
_COUNTER = re.compile(r"(?m)^(\) ENGINE=\w+) AUTO_INCREMENT=\d+")
_NAME = r"`((?:[^`]|``)*)`"
_PARTS = (
    (re.compile(rf"{_NAME} "), "column"),
    (re.compile(rf"(?:UNIQUE |FULLTEXT |SPATIAL )?KEY {_NAME} "), "index"),
    (re.compile(rf"CONSTRAINT {_NAME} FOREIGN KEY "), "foreign key"),
    (re.compile(rf"CONSTRAINT {_NAME} CHECK "), "check"),
)
# The column of each SHOW CREATE's answer that differs though the object is the same: when a trigger was made.
_CREATED = {"trigger": 6}


class NotRead(ValueError):
    """The answer has no end, or is none."""


def digest(*values: str) -> str:
    """64 bits of a SHA-256: enough to tell a damaged definition from a whole one."""
    return hashlib.sha256("\0".join(values).encode()).hexdigest()[:16]


def table_parts(definition: str) -> dict[str, str]:
    """What a SHOW CREATE TABLE consists of → digest of each: which index is missing can be said, and not only that one is."""
    parts: dict[str, str] = {}
    options: list[str] = []
    for line in definition.split("\n")[1:]:
        if not line.startswith("  ") or options:
            options.append(line)
            continue
        text = line.strip().removesuffix(",")
        parts[_part_name(text)] = digest(text)
    return {**parts, "options": digest(*options)}


def _part_name(text: str) -> str:
    for pattern, kind in _PARTS:
        if found := pattern.match(text):
            return f"{kind} {found[1].replace('``', '`')}"
    return "primary key" if text.startswith("PRIMARY KEY") else text


class _Collector:
    """Goes through the rows in their order; what belongs together is told in one go, and the model is made at the end."""

    def __init__(self) -> None:
        self.top: dict[str, Any] = {"schemas": {}, "accounts": {}, "unreadable": {}}
        self.ended = False
        self._creates: tuple[str, str, str] | None = None

    def take(self, row: Sequence[str]) -> None:
        created, self._creates = self._creates, None
        if created is not None and row[:2] != ["unreadable", created[0]]:
            self._define(created[0].lower(), created[1], created[2], row)
            return
        take = getattr(self, f"_take_{row[0].replace(' ', '_')}", None)
        if take is None:
            raise NotRead(f"a line was not understood that begins with {row[0][:40]!r}")
        take(*row[1:])

    def _take_version(self, version: str, uuid: str, position: str) -> None:
        self.top["version"] = version
        self.top["galera"] = f"{uuid}:{position}" if uuid not in {"", "NULL"} else ""

    def _take_schema(self, name: str, charset: str, collation: str) -> None:
        self._schemas[name] = {"charset": charset, "collation": collation}

    def _take_table(self, schema: str, name: str, engine: str, kind: str, written: str) -> None:
        versioned = kind == "SYSTEM VERSIONED"
        self._in(schema, "tables")[name] = {"engine": engine, "versioned": versioned, "written": written}

    def _take_sequence(self, schema: str, name: str, *_: str) -> None:
        self._in(schema, "sequences")[name] = {}

    def _take_create(self, kind: str, schema: str, name: str) -> None:
        self._creates = (kind, schema, name)

    def _take_rows(self, schema: str, name: str, rows: str, content: str) -> None:
        self._in(schema, "tables")[name].update(rows=int(rows), content=content)

    def _take_left_out(self, schema: str, name: str, why: str) -> None:
        self._in(schema, "tables")[name].update(left_out=why)

    def _take_next(self, schema: str, name: str, value: str, increment: str) -> None:
        self._in(schema, "sequences")[name].update(next_value=int(value), increment=int(increment))

    def _take_order(self, _: str, schema: str, name: str, table: str, place: str) -> None:
        triggers = self._in(schema, "programs").get("trigger", {})
        if name in triggers:
            triggers[name] = digest(triggers[name], table, place)

    def _take_unreadable(self, kind: str, schema: str, name: str, why: str) -> None:
        self.top["unreadable"][f"{kind.lower()} {schema}.{name}"] = why

    def _take_unlocked(self) -> None:
        """What the script that takes the dump waits for."""

    def _take_end(self, seconds: str) -> None:
        self.top["took_s"], self.ended = int(seconds), True

    @property
    def _schemas(self) -> dict[str, Any]:
        schemas: dict[str, Any] = self.top["schemas"]
        return schemas

    def _in(self, schema: str, what: str) -> dict[str, Any]:
        if schema not in self._schemas:
            raise NotRead(f"something is in a schema {schema} that is not listed")
        there: dict[str, Any] = self._schemas[schema].setdefault(what, {})
        return there

    def _define(self, kind: str, schema: str, name: str, row: Sequence[str]) -> None:
        if kind == "table":
            text = _COUNTER.sub(r"\1", row[1], count=1)
            self._in(schema, "tables")[name].update(definition=digest(text), parts=table_parts(text))
        elif kind == "sequence":
            self._in(schema, "sequences")[name].update(definition=digest(*row))
        else:
            same = [value for column, value in enumerate(row) if column != _CREATED.get(kind)]
            self._in(schema, "programs").setdefault(kind, {})[name] = digest(*same)

    def _of(self, user: str, host: str) -> dict[str, Any]:
        nothing = {"login": "", "limits": "", "grants": {}, "roles": {}}
        account: dict[str, Any] = self.top["accounts"].setdefault(str(Account(user, host)), nothing)
        return account

    def _take_account(self, user: str, host: str, *told: str) -> None:
        _, default_role, plugin, login, limits, privileges = told
        account = self._of(user, host)
        account.update(login=digest(plugin, login), limits=limits[:16])
        account["default_role"] = "" if default_role == "NULL" else default_role
        account["grants"]["*.*"] = _words(privileges)

    def _take_global(self, user: str, host: str, other_logins: str, locked: str, privileges: str) -> None:
        account = self._of(user, host)
        account.update(login=digest(account["login"], other_logins), limits=digest(account["limits"], locked))
        # As a number: those of later versions have no column of their own.
        account["grants"]["*.*"] = (*account["grants"]["*.*"], f"bits {privileges}")

    def _take_grant(self, user: str, host: str, what: str, privileges: str) -> None:
        self._of(user, host)["grants"][what] = _words(privileges)

    def _take_role(self, user: str, host: str, role: str, admin: str) -> None:
        self._of(user, host)["roles"][role] = admin == "Y"


def _words(privileges: str) -> tuple[str, ...]:
    return tuple(sorted(word.strip().upper() for word in privileges.split(",") if word))


def parse_contents(text: str) -> ServerContents:
    """Read what the server said.

    Raises:
        NotRead: It did not come to its end, or said something else.
    """
    collector = _Collector()
    try:
        for row in parse_rows(text):
            collector.take(row)
    except NotRead:
        raise
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NotRead(f"the rows of the answer do not belong together: {error}") from error
    if not collector.ended:
        raise NotRead("the answer has no end")
    return ServerContents.model_validate(collector.top)


def contents_command(server: Server, largest_bytes: int, within_s: int, schemas: Sequence[str] = ()) -> Command:
    """The command that reads what is in a server, in a snapshot of its own.

    Args:
        server: Which.
        largest_bytes: A table with more is not hashed.
        within_s: Seconds after which no table's hashing is begun; one may be at work by then.
        schemas: Those that are read, and no accounts; empty for all that is not the server's own.
    """
    return Command(
        server.client("--batch", "--skip-column-names", "--default-character-set=utf8mb4", "--max-allowed-packet=1G"),
        stdin=contents_sql(largest_bytes, within_s, within_s, schemas),
        stdin_is="SQL: read what is in the server",
        ok=_ANY,
        quiet=True,
        changes=False,
        timeout_s=2 * within_s + 60,
    )


def read_contents(
    shell: Shell, server: Server, largest_bytes: int, within_s: int, schemas: Sequence[str] = ()
) -> ServerContents:
    """Read what is in a server; see `contents_command` for the arguments.

    Raises:
        HostError: The server's answer is none, or came to no end.
    """
    return _parsed(shell, contents_command(server, largest_bytes, within_s, schemas))


def read_accounts(shell: Shell, server: Server) -> ServerContents:
    """Read the accounts and roles of a server alone; nothing of what they log in with leaves it but digests.

    Raises:
        HostError: The server's answer is none, or came to no end.
    """
    words = server.client("--batch", "--skip-column-names", "--default-character-set=utf8mb4")
    said = "SQL: read the accounts"
    return _parsed(shell, Command(words, accounts_sql(), said, ok=_ANY, quiet=True, changes=False))


def read_contents_file(shell: Shell, path: str) -> ServerContents:
    """Read what a dump has left of what was in the server (see `tasks.database.dumping`).

    Raises:
        HostError: It is not there, or not whole.
    """
    return _parsed(shell, question("cat", path, ok=_ANY))


def _parsed(shell: Shell, ask: Command) -> ServerContents:
    try:
        return parse_contents(shell.run(ask).stdout)
    except NotRead as error:
        raise HostError(
            shell.name,
            f"what is in the server could not be read: {error}",
            "see whether MariaDB was stopped meanwhile, and its log",
        ) from error
