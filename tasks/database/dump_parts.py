"""What of a dump can be loaded side by side: the databases in it, and what comes after them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.database.dump_contents import SYSTEM, Contents
from tasks.database.dumps import File


@dataclass(frozen=True)
class Part:
    """A stretch of a dump.

    Attributes:
        begin: Its first byte.
        length: Bytes.
    """

    begin: int
    length: int


@dataclass(frozen=True)
class Parts:
    """A dump of several databases, of which each can be loaded by a client of its own.

    Attributes:
        head: Bytes before the first part, which set up a client's session: they go before each part.
        tables: The databases with their tables, in any order.
        rest: From where mysqldump comes back to a database, for the views, which may look into any other: for one client,
            when all tables are there.
    """

    head: int
    tables: tuple[Part, ...]
    rest: Part | None = None


# What may stand before the first part: comments and what sets the session.
_SESSION = re.compile(r"(?:--.*|/\*M?!\d*\\?-? ?(?:enable the sandbox mode|SET .*) ?\*/;?|)\s*")


def parse_parts(file: File, contents: Contents) -> Parts | None:
    """Divide a dump.

    Args:
        file: Both ends of the dump.
        contents: What is in it.

    Returns:
        The parts; None where there is one alone, where a line looks like the beginning of a part and is none, where what
        stands before the first part sets more than a session, and where the server's own tables are among them: the
        other parts' routines are rows there.
    """
    markers = contents.database_markers
    if len(markers) < 2 or contents.ambiguous_markers or SYSTEM in contents.schemas:
        return None
    head = file.head.encode()[: markers[0][0]].decode(errors="replace")
    if len(head.encode()) < markers[0][0] or re.search("global", head, re.IGNORECASE):
        return None
    if not all(_SESSION.fullmatch(line) for line in head.splitlines()):
        return None
    names = [name for _, name in markers]
    first = next((number for number, name in enumerate(names) if name in names[:number]), len(markers))
    begins = [begin for begin, _ in markers] + [file.size]
    tables = tuple(Part(begins[number], begins[number + 1] - begins[number]) for number in range(first))
    rest = Part(begins[first], file.size - begins[first]) if first < len(markers) else None
    return Parts(begins[0], tables, rest)
