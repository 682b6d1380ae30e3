"""What differs between a server that was copied while others wrote to it, and one that was made of the copy.

A copy is of its own end. All that is in the server is read before it (with the dump, in one snapshot) and once more after it: what
was the same both times was so in between, and must be so in the copy. Of what was not, something is known all the same: the
definition of a table that was merely written, and that each of its rows can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.database.contents import ServerContents, TableContents
from tasks.database.contents_comparison import Comparison, Difference, compare


@dataclass(frozen=True)
class _Meanwhile:
    """What became of things between the two looks.

    Attributes:
        schemas: Those that were made or dropped.
        changed: Whatever was made, dropped, or defined in another way.
        written: Tables whose rows may be others in the copy.
        not_read: Tables whose rows were not read after the copy → why.
        unreadable: What could not be read after the copy either.
    """

    schemas: frozenset[str]
    changed: frozenset[str]
    written: frozenset[str]
    not_read: dict[str, str]
    unreadable: frozenset[str]

    def explains(self, difference: Difference) -> bool:
        """Whether a difference says nothing of the copy."""
        where = difference.where
        if difference.about == "reading":
            return where in self.unreadable
        return where in self.changed or (
            difference.about == "rows" and (where in self.written or where in self.not_read)
        )

    def not_compared(self) -> Iterator[Difference]:
        """What nothing can be said of."""
        for where in sorted(self.changed):
            yield Difference(where, "not compared: it was changed while the copy was made")
        for where, why in sorted(self.not_read.items()):
            yield Difference(where, f"rows not compared: after the copy {why}")
        if self.written:
            names = ", ".join(sorted(where.removeprefix("table ") for where in self.written))
            yield Difference(
                f"table{'s' if len(self.written) > 1 else ''} {names}",
                "written while the copy was made: compared by definition, and every row was read",
            )


def compare_copy(before: ServerContents, after: ServerContents, found: ServerContents) -> Comparison:
    """Compare what was read around a physical copy with what a server holds that was made of it.

    Args:
        before: Read before the copy was begun.
        after: Read once it had ended.
        found: The server's that was made of it, in which everything was read.
    """
    meanwhile = _meanwhile(before, after)
    compared = compare(_without(before, meanwhile.schemas), _without(found, meanwhile.schemas), dumped=False)
    return Comparison(
        tuple(each for each in compared.differences if not meanwhile.explains(each)),
        (*compared.not_compared, *meanwhile.not_compared()),
    )


def _meanwhile(before: ServerContents, after: ServerContents) -> _Meanwhile:
    differences = compare(before, after).differences
    changed = {each.where for each in differences if each.about == "definition"}
    written = {each.where for each in differences if each.about == "rows"}
    not_read = {}
    for where, table, again in _tables(before, after):
        if table.left_out:
            continue  # and told as not compared, whatever became of it
        if again.left_out:
            not_read[where] = again.left_out
        # A row that came and went leaves no other trace; and the copy may hold it.
        elif table.written != again.written:
            written.add(where)
    return _Meanwhile(
        schemas=frozenset(before.schemas.keys() ^ after.schemas.keys()),
        changed=frozenset(changed),
        written=frozenset(written - changed),
        not_read={where: why for where, why in not_read.items() if where not in changed},
        unreadable=frozenset(after.unreadable),
    )


def _tables(before: ServerContents, after: ServerContents) -> Iterator[tuple[str, TableContents, TableContents]]:
    """The tables that are in both, by what a difference calls them."""
    for schema in before.schemas.keys() & after.schemas.keys():
        old, new = before.schemas[schema].tables, after.schemas[schema].tables
        for name in old.keys() & new.keys():
            yield f"table {schema}.{name}", old[name], new[name]


def _without(contents: ServerContents, schemas: frozenset[str]) -> ServerContents:
    """The same without some schemas."""
    rest = {name: schema for name, schema in contents.schemas.items() if name not in schemas}
    return contents.model_copy(update={"schemas": rest})
