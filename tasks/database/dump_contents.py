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
        begin: Its first byte.
        complete: Whether it has its end, `-- Dump completed`.
        has_header: Whether it has said from which server it comes, `-- Server version`.
        version: The server's from which it comes.
        first_schema: The schema with which it begins; empty where it names none.
        table_without_schema: A table that it creates or fills before it says in which schema; empty where there is none.
        uncreated_schemas: Schemas that it uses, and that nobody has created.
    """

    begin: int
    complete: bool = False
    has_header: bool = False
    version: Version | None = None
    first_schema: str = ""
    table_without_schema: str = ""
    uncreated_schemas: list[str] = field(default_factory=list)


@dataclass
class Contents:
    """What is in a dump.

    Attributes:
        pieces: One for each beginning.
        schemas: Name → what it holds of it.
        non_sql_lines: Lines that a program has written among the SQL.
        sandbox: Whether it asks the client for its sandbox mode.
        database_markers: The comments (`-- Current Database:`) that begin a database: first byte and text.
        ambiguous_markers: Whether a line looks like such a comment, and no database begins there.
    """

    pieces: list[Piece] = field(default_factory=list)
    schemas: dict[str, Schema] = field(default_factory=dict)
    non_sql_lines: list[str] = field(default_factory=list)
    sandbox: bool = False
    database_markers: list[tuple[int, str]] = field(default_factory=list)
    ambiguous_markers: bool = False

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


class _ContentsReader:
    """Puts together what the lines say, in their order."""

    def __init__(self) -> None:
        self.contents = Contents()
        self._schema_in_use = ""

    def _schema(self, name: str) -> Schema:
        return self.contents.schemas.setdefault(name, Schema())

    @property
    def _piece(self) -> Piece:
        if not self.contents.pieces:
            self.contents.pieces.append(Piece(0))
        return self.contents.pieces[-1]

    def add(self, line: Line) -> None:
        match line.kind:
            case "B":
                # A client that is given a file reads on, in the schema of the piece before.
                self.contents.pieces.append(Piece(line.at))
                self._schema_in_use = ""
            case "E":
                self._piece.complete = True
            case "V":
                if self._piece.has_header:
                    # One that was cut short within a line: the next begins at that line's end, and says its version later.
                    self.contents.pieces.append(Piece(line.at))
                    self._schema_in_use = ""
                self._piece.has_header, self._piece.version = True, parse_version(line.text)
            case "U":
                self._use(line.text)
            case "C":
                self._create(line.text)
            case "I":
                self._insert(line)
            case "F":
                self.contents.non_sql_lines.append(line.text)
            case "Z":
                self.contents.sandbox = True

    def _use(self, text: str) -> None:
        found = _USE.match(text)
        if found is None:
            return
        self._schema_in_use = unquoted(found[1])
        self._piece.first_schema = self._piece.first_schema or self._schema_in_use
        if self._schema_in_use != SYSTEM and not self._schema(self._schema_in_use).created:
            self._piece.uncreated_schemas.append(self._schema_in_use)

    def _create(self, text: str) -> None:
        plain = _COMMENT.sub(" ", text)
        if database := _DATABASE.match(plain):
            name = unquoted(database[1])
            self._schema(name).created = True
            self._piece.first_schema = self._piece.first_schema or name
            return
        plain = _DEFINER.sub(" ", plain).strip()
        if view := _VIEW.match(plain):
            self._add_object("VIEW", view[1], view[2])
        elif found := _CREATE.match(plain):
            self._add_object(found[1].upper(), found[2], found[3])

    def _add_object(self, kind: str, schema: str | None, name: str) -> None:
        into = unquoted(schema) if schema else self._schema_in_use
        name = unquoted(name)
        if not into:
            self._piece.table_without_schema = self._piece.table_without_schema or name
            return
        objects = self._schema(into)
        if kind in {"TABLE", "SEQUENCE"}:
            objects.tables.setdefault(name, 0)
        elif kind == "VIEW":
            objects.views.add(name)
        elif kind == "TRIGGER":
            objects.triggers.add(name)
        elif kind == "EVENT":
            objects.events.add(name)
        else:
            objects.routines.add(name)

    def _insert(self, line: Line) -> None:
        found = _INTO.search(line.text)
        if found is None:
            return
        into, name = unquoted(found[1]) if found[1] else self._schema_in_use, unquoted(found[2])
        if not into:
            self._piece.table_without_schema = self._piece.table_without_schema or name
            return
        tables = self._schema(into).tables
        tables[name] = tables.get(name, 0) + line.count


def parse_contents(reading: Reading) -> Contents:
    """Put together what the pass over a dump has told."""
    reader = _ContentsReader()
    for line in reading.lines:
        reader.add(line)
    found = reader.contents
    markers = [line for line in reading.lines if line.kind == "M"]
    found.database_markers = [(line.at, line.text) for line in _database_markers(reading)]
    found.ambiguous_markers = not reading.exact or len(markers) != len(found.database_markers)
    return found


def _database_markers(reading: Reading) -> Iterator[Line]:
    """The comments that begin a database's part: the statement that creates or uses it comes four bytes after them (`--`)."""
    for line, after in pairwise(reading.lines):
        is_next = after.kind == "U" or (after.kind == "C" and _DATABASE.match(_COMMENT.sub(" ", after.text)))
        if line.kind == "M" and is_next and after.at == line.at + len(line.text.encode()) + 1 + len("--\n\n"):
            yield line
