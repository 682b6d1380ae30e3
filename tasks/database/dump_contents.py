"""What is in a dump: its beginnings and ends, and the schemas with their tables, rows and programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from tasks.database.dump_reading import Line, Reading
from tasks.database.mariadb import Version, parse_version

SYSTEM = "mysql"
# In double quotes are the names of packages, which mysqldump writes in the SQL mode of Oracle.
_NAME = r"""(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|[\w$]+)"""
_QUALIFIED = rf"(?:({_NAME})\s*\.\s*)?({_NAME})"
_COMMENT = re.compile(r"/\*M?!\d*|\*/|\b(?:IF NOT EXISTS|OR REPLACE|TEMPORARY)\b")
_CREATE = re.compile(
    rf"CREATE\s.*?\b(TABLE|SEQUENCE|VIEW|FUNCTION|PROCEDURE|PACKAGE BODY|PACKAGE|TRIGGER|EVENT)\s+{_QUALIFIED}",
    re.IGNORECASE,
)
_VIEW = re.compile(rf"VIEW\s+{_QUALIFIED}", re.IGNORECASE)
_DATABASE = re.compile(rf"CREATE\s+(?:DATABASE|SCHEMA)\s+({_NAME})", re.IGNORECASE)
_DEFINER = re.compile(rf"DEFINER\s*=\s*{_NAME}(?:\s*@\s*{_NAME})?", re.IGNORECASE)
_INTO = re.compile(rf"INTO\s+{_QUALIFIED}", re.IGNORECASE)
_USE = re.compile(rf"USE\s+({_NAME})", re.IGNORECASE)


def unquoted(name: str) -> str:
    """A name without its quotes."""
    quote = name[:1]
    return name[1:-1].replace(quote * 2, quote) if quote in {"`", '"'} else name


@dataclass
class Schema:
    """What a dump holds of one schema.

    Attributes:
        created: Whether the dump creates it.
        tables: Table → how many INSERTs it has.
        views: Names.
        routines: Names of functions, procedures and packages.
        triggers: Names.
        events: Names.
    """

    created: bool = False
    tables: dict[str, int] = field(default_factory=dict)
    views: set[str] = field(default_factory=set)
    routines: set[str] = field(default_factory=set)
    triggers: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)


@dataclass
class Piece:
    """What one run of mysqldump has written; a file may have several.

    Attributes:
        at: Its first byte.
        whole: Whether it has its end.
        headed: Whether it has said from which server it comes.
        version: The server's from which it comes.
        first: The schema with which it begins; empty where it names none.
        homeless: A table that it creates or fills before it says in which schema; empty where there is none.
        unborn: Schemas that it uses, and that nobody has created.
    """

    at: int
    whole: bool = False
    headed: bool = False
    version: Version | None = None
    first: str = ""
    homeless: str = ""
    unborn: list[str] = field(default_factory=list)


@dataclass
class Contents:
    """What is in a dump.

    Attributes:
        pieces: One for each beginning.
        schemas: Name → what it holds of it.
        foreign: Lines that a program has written among the SQL.
        sandbox: Whether it asks the client for its sandbox mode.
        marks: Where a database's part begins: its first byte and its line.
        odd_marks: Whether a line looks like such a beginning, and is none.
    """

    pieces: list[Piece] = field(default_factory=list)
    schemas: dict[str, Schema] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    sandbox: bool = False
    marks: list[tuple[int, str]] = field(default_factory=list)
    odd_marks: bool = False

    @property
    def rows(self) -> int:
        """How many INSERTs there are."""
        return sum(sum(schema.tables.values()) for schema in self.schemas.values())

    @property
    def tables(self) -> int:
        """How many tables there are."""
        return sum(len(schema.tables) for schema in self.schemas.values())

    def fills(self, *tables: str) -> bool:
        """Whether one of these tables of the server's own schema has rows."""
        return any(self.schemas.get(SYSTEM, Schema()).tables.get(table, 0) for table in tables)


class _Collector:
    """Goes through the lines in their order."""

    def __init__(self) -> None:
        self.contents = Contents()
        self._in = ""

    def _schema(self, name: str) -> Schema:
        return self.contents.schemas.setdefault(name, Schema())

    @property
    def _piece(self) -> Piece:
        if not self.contents.pieces:
            self.contents.pieces.append(Piece(0))
        return self.contents.pieces[-1]

    def take(self, line: Line) -> None:
        match line.letter:
            case "B":
                # A client that is given a file reads on, in the schema of the piece before.
                self.contents.pieces.append(Piece(line.at))
                self._in = ""
            case "E":
                self._piece.whole = True
            case "V":
                if self._piece.headed:
                    # One that was cut short within a line: the next begins at that line's end, and says its version later.
                    self.contents.pieces.append(Piece(line.at))
                    self._in = ""
                self._piece.headed, self._piece.version = True, parse_version(line.text)
            case "U":
                self._use(line.text)
            case "C":
                self._create(line.text)
            case "I":
                self._insert(line)
            case "F":
                self.contents.foreign.append(line.text)
            case "Z":
                self.contents.sandbox = True

    def _use(self, text: str) -> None:
        found = _USE.match(text)
        if found is None:
            return
        self._in = unquoted(found[1])
        self._piece.first = self._piece.first or self._in
        if self._in != SYSTEM and not self._schema(self._in).created:
            self._piece.unborn.append(self._in)

    def _create(self, text: str) -> None:
        plain = _COMMENT.sub(" ", text)
        if database := _DATABASE.match(plain):
            name = unquoted(database[1])
            self._schema(name).created = True
            self._piece.first = self._piece.first or name
            return
        plain = _DEFINER.sub(" ", plain).strip()
        if view := _VIEW.match(plain):
            self._put("VIEW", view[1], view[2])
        elif found := _CREATE.match(plain):
            self._put(found[1].upper(), found[2], found[3])

    def _put(self, kind: str, schema: str | None, name: str) -> None:
        into = unquoted(schema) if schema else self._in
        name = unquoted(name)
        if not into:
            self._piece.homeless = self._piece.homeless or name
            return
        there = self._schema(into)
        if kind in {"TABLE", "SEQUENCE"}:
            there.tables.setdefault(name, 0)
        elif kind == "VIEW":
            there.views.add(name)
        elif kind == "TRIGGER":
            there.triggers.add(name)
        elif kind == "EVENT":
            there.events.add(name)
        else:
            there.routines.add(name)

    def _insert(self, line: Line) -> None:
        found = _INTO.search(line.text)
        if found is None:
            return
        into, name = unquoted(found[1]) if found[1] else self._in, unquoted(found[2])
        if not into:
            self._piece.homeless = self._piece.homeless or name
            return
        tables = self._schema(into).tables
        tables[name] = tables.get(name, 0) + line.count


def contents(reading: Reading) -> Contents:
    """Put together what the pass over a dump has told."""
    collector = _Collector()
    for line in reading.lines:
        collector.take(line)
    found = collector.contents
    marks = [line for line in reading.lines if line.letter == "M"]
    found.marks = [(line.at, line.text) for line in _begun(reading)]
    found.odd_marks = not reading.exact or len(marks) != len(found.marks)
    return found


def _begun(reading: Reading) -> Iterator[Line]:
    """The marks that begin a database's part: the statement that creates or uses it comes four bytes after them (`--`)."""
    for line, after in pairwise(reading.lines):
        is_next = after.letter == "U" or (after.letter == "C" and _DATABASE.match(_COMMENT.sub(" ", after.text)))
        if line.letter == "M" and is_next and after.at == line.at + len(line.text.encode()) + 1 + len("--\n\n"):
            yield line


def why_not_contents(path: str, found: Contents, server: Version | None, knows_sandbox: bool = True) -> list[str]:
    """What keeps a dump from being loaded whole.

    Args:
        path: The dump's.
        found: What is in it.
        server: The version that would load it.
        knows_sandbox: Whether the client that would load it knows the sandbox mode.
    """
    reasons = [*_why_not_pieces(path, found, server)]
    if found.foreign:
        reasons.append(
            f"dump {path}: a line is no SQL, but what a program has said: {found.foreign[0][:100]!r}; loading would end there. "
            "If it is an error, take another dump; if it only warns, remove the line from a copy of the dump"
        )
    if found.sandbox and not knows_sandbox:
        reasons.append(
            f"dump {path} begins with a line for newer clients (sandbox mode), which the container's client takes for an "
            "unknown command; remove it from a copy of the dump: `sed '/^\\/\\*M*!999999/d'`"
        )
    if not found.tables and not reasons:
        reasons.append(f"dump {path} holds no table; take another dump")
    return reasons


def _why_not_pieces(path: str, found: Contents, server: Version | None) -> Iterator[str]:
    last = len(found.pieces) - 1
    for number, piece in enumerate(found.pieces):
        name = f"dump {path}" if last == 0 else f"dump {path}, which is {last + 1} dumps in one file:"
        which = f"that of {piece.first} at byte {piece.at}" if piece.first else f"that at byte {piece.at}"
        if number < last and not piece.whole:
            yield (
                f"{name} {which} is cut short, it has no '-- Dump completed' before the next begins. mysql would load it, return "
                "0, and rows would be missing; take another dump"
            )
        if piece.homeless:
            yield (
                f"{name} {'names no database' if last == 0 else which + ' names no database'} for its table {piece.homeless}, as "
                "mysqldump writes it without --databases; take it with --databases, or put CREATE DATABASE and USE before it "
                "in a copy"
            )
        if piece.unborn:
            yield (
                f"{name} uses {_names(piece.unborn)} without creating it, as mysqldump writes it with --no-create-db, and the new "
                "database is empty; put CREATE DATABASE before it in a copy"
            )
        if number and server is not None and piece.version is not None and piece.version > server:
            yield f"{name} {which} comes from MariaDB {piece.version}, newer than this server's {server}"
        if server is not None and piece.version not in {None, server} and found.schemas.get(SYSTEM, Schema()).tables:
            yield (
                f"dump {path} holds the server's own tables (schema mysql) of MariaDB {piece.version}, which this server's "
                f"{server} can't take over; take the dump with --databases and the services' schemas, or remove the part that "
                "`-- Current Database: `mysql`` begins from a copy of it: accounts come from the grants"
            )
            return


def _names(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(names))
