"""Whether a dump can be restored whole: by its ends before it is read, and by its contents afterwards.

mysql returns 0 after a dump that was cut short, and stops in the middle of one that it does not understand. So all of this is
looked at before anything is stopped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tasks.database.dump_contents import SYSTEM, Contents, Piece, Schema
from tasks.database.dumps import File, undecodable
from tasks.database.mariadb import Version, parse_version
from tasks.engine.checks import Check

_BOM = "\ufeff"
# Why a dump can't be restored, and what the operator does about it: empty where that is plain.
_Problem = tuple[str, str]


def _checks(name: str, host: str, problems: Iterable[_Problem], seen: str) -> list[Check]:
    return [Check(name, host, "", reason, hint) for reason, hint in problems] or [Check(name, host, seen)]


def check_dump_ends(host: str, dump: File, server: Version | None) -> list[Check]:
    """Look whether a dump can be restored, as far as its ends say.

    Args:
        host: Where it lies.
        dump: Both its ends.
        server: The version that would load it; None where that is not known, which is a reason of its own.
    """
    seen = f"{dump.path} has its beginning and its end"
    return _checks("dump", host, _problems_of_ends(dump, server), seen)


def _problems_of_ends(dump: File, server: Version | None) -> list[_Problem]:
    if dump.size < 0:
        return [(f"dump {dump.path} does not exist", "")]
    if dump.size == 0:
        return [(f"dump {dump.path} is empty", "")]
    if encoding := undecodable(dump):
        what, hint = encoding
        return [(f"dump {dump.path} is {what}", hint)]
    return [*_problems_of_beginning(dump), *_problems_of_end(dump), *_problems_of_version(dump, server)]


def _problems_of_beginning(dump: File) -> Iterator[_Problem]:
    head = dump.head.removeprefix(_BOM)
    if not re.search(r"^(-- (MariaDB|MySQL) dump )", head, re.MULTILINE):
        yield f"dump {dump.path} does not begin as mysqldump begins one", ""
        return
    lines = enumerate(head.splitlines(), 1)
    number, first = next(((number, line) for number, line in lines if line.strip()), (1, ""))
    if not first.startswith(("--", "/*", "#")):
        yield (
            f"dump {dump.path}: line {number} is no comment and no SQL, but {first[:100]!r}, at which loading would end",
            f"remove it from a copy of the dump: `sed {number}d`",
        )


def _problems_of_end(dump: File) -> Iterator[_Problem]:
    if not re.search(r"^-- Dump completed[^\n]*\s*\Z", dump.tail, re.MULTILINE):
        yield (
            f"dump {dump.path} is cut short: its last line is not '-- Dump completed'. mysql would load it, return 0, and "
            "rows would be missing",
            "take another dump",
        )


def _problems_of_version(dump: File, server: Version | None) -> Iterator[_Problem]:
    line = next((line for line in dump.head.splitlines() if line.startswith("-- Server version")), "")
    version = parse_version(line)
    if version is None:
        yield f"dump {dump.path} does not say which server it comes from", ""
    elif server is not None and version > server:
        yield f"dump {dump.path} comes from MariaDB {version}, newer than this server's {server}", ""


def check_dump_contents(
    host: str,
    dump: File,
    contents: Contents,
    server: Version | None,
    knows_sandbox: bool = True,
    has_grants: bool = True,
) -> list[Check]:
    """Look whether all that is in a dump can be loaded.

    Args:
        host: Where it lies.
        dump: The dump.
        contents: What is in it.
        server: The version that would load it.
        knows_sandbox: Whether the client that would load it knows the sandbox mode.
        has_grants: Whether the accounts come from a file of their own; else the dump must have them.
    """
    problems = [
        *_problems_of_pieces(dump.path, contents, server, has_grants),
        *_problems_of_lines(dump.path, contents, knows_sandbox),
    ]
    if not contents.tables and not problems:
        problems = [(f"dump {dump.path} holds no table", "take another dump")]
    elif not has_grants and not contents.fills("user", "global_priv"):
        reason = f"dump {dump.path} holds no accounts (schema mysql), without which no service could log in"
        problems.append((reason, "take it with --all-databases"))
    seen = f"{len(contents.schemas):,} schemas, {contents.tables:,} tables, {_size(dump.size)}{_versions(contents)}"
    return _checks("contents of the dump", host, problems, seen)


def _problems_of_lines(path: str, contents: Contents, knows_sandbox: bool) -> Iterator[_Problem]:
    if contents.non_sql_lines:
        yield (
            f"dump {path}: a line is no SQL, but what a program has said: {contents.non_sql_lines[0][:100]!r}; loading would "
            "end there. If it is an error, take another dump; if it only warns, remove the line from a copy of the dump",
            "",
        )
    if contents.sandbox and not knows_sandbox:
        yield (
            f"dump {path} begins with a line for newer clients (sandbox mode), which the container's client takes for an "
            "unknown command",
            "remove it from a copy of the dump: `sed '/^\\/\\*M*!999999/d'`",
        )


def _problems_of_pieces(path: str, contents: Contents, server: Version | None, has_grants: bool) -> Iterator[_Problem]:
    count = len(contents.pieces)
    file = f"dump {path}" if count == 1 else f"dump {path}, which is {count} dumps in one file:"
    for number, piece in enumerate(contents.pieces, 1):
        yield from _problems_of_piece(file, piece, number, count)
        if number > 1 and server is not None and piece.version is not None and piece.version > server:
            yield f"{file} {_named(piece)} comes from MariaDB {piece.version}, newer than this server's {server}", ""
        if server is not None and piece.version not in {None, server} and contents.schemas.get(SYSTEM, Schema()).tables:
            yield (
                f"dump {path} holds the server's own tables (schema mysql) of MariaDB {piece.version}, which this server's "
                f"{server} can't take over",
                "take the dump with --databases and the services' schemas, or remove the part that "
                "`-- Current Database: `mysql`` begins from a copy of it: accounts come from the grants"
                if has_grants
                else "restore it into the version that it was taken from, and update that",
            )
            return


def _problems_of_piece(file: str, piece: Piece, number: int, count: int) -> Iterator[_Problem]:
    """What keeps one of the dumps in a file from being loaded whole, whatever the server."""
    if number < count and not piece.complete:
        yield (
            f"{file} {_named(piece)} is cut short, it has no '-- Dump completed' before the next begins. mysql would load it, "
            "return 0, and rows would be missing",
            "take another dump",
        )
    if piece.table_without_schema:
        which = f"{file} " if count == 1 else f"{file} {_named(piece)} "
        yield (
            f"{which}names no database for its table {piece.table_without_schema}, as mysqldump writes it without --databases",
            "take it with --databases, or put CREATE DATABASE and USE before it in a copy",
        )
    if piece.uncreated_schemas:
        names = ", ".join(dict.fromkeys(piece.uncreated_schemas))
        yield (
            f"{file} uses {names} without creating it, as mysqldump writes it with --no-create-db, and the new database is empty",
            "put CREATE DATABASE before it in a copy",
        )


def _named(piece: Piece) -> str:
    """Which of several dumps in a file is meant."""
    return (
        f"that of {piece.first_schema} at byte {piece.begin}" if piece.first_schema else f"that at byte {piece.begin}"
    )


def _size(size: int) -> str:
    return f"{size / 1024**3:,.1f} GiB" if size >= 1024**3 else f"{size / 1024**2:,.1f} MiB"


def _versions(contents: Contents) -> str:
    versions = dict.fromkeys(str(piece.version) for piece in contents.pieces if piece.version is not None)
    return f", from MariaDB {' and '.join(versions)}" if versions else ""
