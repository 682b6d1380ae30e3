"""What will be missing after a restore: what dump and grants lack of what is there, and of what they name themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from blocks.remote.shell import Shell
from tasks.database.dump_contents import Contents, Schema
from tasks.database.grants import Grants
from tasks.database.inventory import Inventory, Named, read_inventory
from tasks.database.mariadb import Server

# So many names of a kind are shown where the operator approves; the report has all of them.
_SHOWN = 8
# Of a dump of the whole server, which has the accounts itself.
NO_GRANTS = Grants((), (), ())


@dataclass(frozen=True)
class Loss:
    """One kind of thing that will be missing.

    Attributes:
        what: What it is, in a sentence that ends before the names.
        names: All of them.
    """

    what: str
    names: tuple[str, ...] = ()

    def shown(self, at_most: int = _SHOWN) -> str:
        """The sentence, with so many names."""
        if not self.names:
            return self.what
        more = len(self.names) - at_most
        return f"{self.what}: {', '.join(self.names[:at_most])}" + (f" and {more} more" if more > 0 else "")

    @property
    def full(self) -> str:
        """The sentence, with all names."""
        return self.shown(len(self.names))


def _counted(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"


def _about(rows: int) -> str:
    """An estimate's order of magnitude: what is shown must not change while somebody reads it and approves."""
    if rows < 10:
        return "some rows"
    if rows >= 10**9:
        return "billions of rows"
    names = ("", "thousands", "millions")
    thousands, digits = divmod(len(str(rows)) - 1, 3)
    few = ("", "tens of ", "hundreds of ")[digits]
    return f"{few}{names[thousands]} of rows" if thousands else f"{few}rows"


def find_losses(
    there: Iterable[tuple[Shell, Server]], contents: Contents, untouched: bool, grants: Grants = NO_GRANTS
) -> list[Loss]:
    """What will be missing after the restore, as far as anybody can say.

    Args:
        there: The databases that may answer, with the data that is replaced.
        contents: What is in the dump.
        untouched: Whether that data is still in its place.
        grants: What the grants hold.
    """
    found = list(losses_within_files(contents, grants))
    if not untouched:
        return found
    read = (read_inventory(shell, server) for shell, server in there)
    inventory = next((inventory for inventory in read if inventory is not None), None)
    if inventory is None:
        return [*found, Loss("no database answers, so that nobody can say what the dump lacks of it")]
    whose = f"of what {inventory.host}'s database has"
    against = losses_against_inventory(inventory, contents, grants)
    return [*found, *(Loss(f"{loss.what} {whose}", loss.names) for loss in against)]


def losses_within_files(contents: Contents, grants: Grants) -> Iterator[Loss]:
    """What is seen in the files alone.

    Args:
        contents: What is in the dump.
        grants: What the grants hold.
    """
    if not contents.rows:
        yield Loss("the dump has no rows: no INSERT in any of its tables, as with --no-data")
    lacking = tuple(pattern for pattern in grants.schemas if not _matches(pattern, contents.schemas))
    if lacking:
        named = _counted(len(grants.schemas), "schema", "schemas")
        yield Loss(f"the grants name {named}, of which the dump does not hold {len(lacking):,}", lacking)


def _matches(pattern: str, schemas: Collection[str]) -> bool:
    """Whether the pattern of a grant stands for one of these schemas; the server's own are always there."""
    regex = "".join(
        re.escape(part[-1]) if part.startswith("\\") and part[1:] in {"_", "%"} else
        {"_": ".", "%": ".*"}.get(part, re.escape(part))
        for part in re.findall(r"\\[_%]|.", pattern, re.DOTALL)
    )  # fmt: skip
    own = ("mysql", "information_schema", "performance_schema", "sys", "test")
    return any(re.fullmatch(regex, schema, re.DOTALL) for schema in (*schemas, *own))


def losses_against_inventory(inventory: Inventory, contents: Contents, grants: Grants) -> Iterator[Loss]:
    """What a database that answers holds, and the dump and the grants do not.

    A dump of the whole server has accounts, routines and events as rows of the server's own tables; which, nobody reads.

    Args:
        inventory: What the database holds.
        contents: What is in the dump.
        grants: What the grants hold.
    """
    dump = contents.schemas
    missing_schemas = sorted(inventory.schemas - dump.keys() - {"test"})
    if missing_schemas:
        yield Loss(
            f"the dump lacks {_counted(len(missing_schemas), 'schema', 'schemas')}",
            tuple(_schema_with_counts(inventory, schema) for schema in missing_schemas),
        )
    in_dump = {schema: dump[schema] for schema in inventory.schemas & dump.keys()}
    yield from _tables(inventory, in_dump)
    yield from _missing("view", inventory.views, in_dump, lambda schema: schema.views)
    if not contents.fills("proc"):
        yield from _missing("routine", inventory.routines, in_dump, lambda schema: schema.routines)
    if not contents.fills("event"):
        yield from _missing("event", inventory.events, in_dump, lambda schema: schema.events)
    yield from _missing("trigger", inventory.triggers, in_dump, lambda schema: schema.triggers)
    if not contents.fills("user", "global_priv"):
        yield from _accounts(inventory, grants)


def _accounts(inventory: Inventory, grants: Grants) -> Iterator[Loss]:
    missing_accounts = sorted(inventory.accounts - set(grants.accounts))
    if missing_accounts:
        yield Loss(
            f"the grants lack {_counted(len(missing_accounts), 'account', 'accounts')}",
            tuple(str(account) for account in missing_accounts),
        )
    missing_roles = sorted(inventory.roles - set(grants.roles) - set(grants.undefined_roles))
    if missing_roles:
        yield Loss(f"the grants lack {_counted(len(missing_roles), 'role', 'roles')}", tuple(missing_roles))
    granted = {account.user for account, access in grants.access.items() if any(access.privileges.values())}
    without_privileges = sorted((inventory.roles & set(grants.undefined_roles)) - granted)
    if without_privileges:
        yield Loss(
            f"the grants lack what {_counted(len(without_privileges), 'role grants', 'roles grant')}",
            tuple(without_privileges),
        )


def _schema_with_counts(inventory: Inventory, schema: str) -> str:
    """A schema with how much goes with it."""
    rows = sum(rows for table, rows in inventory.tables.items() if table.schema == schema)
    counts = (
        (sum(table.schema == schema for table in inventory.tables), "table", "tables"),
        (sum(view.schema == schema for view in inventory.views), "view", "views"),
        (sum(routine.schema == schema for routine in inventory.routines), "routine", "routines"),
    )
    parts = [_counted(*count) for count in counts if count[0]]
    if rows:
        parts.append(f"{_about(rows)}")
    return f"{schema} ({', '.join(parts) or 'empty'})"


def _tables(inventory: Inventory, in_dump: dict[str, Schema]) -> Iterator[Loss]:
    missing, without_rows = [], []
    for table, rows in sorted(inventory.tables.items()):
        if table.schema not in in_dump:
            continue
        inserts = in_dump[table.schema].tables.get(table.name)
        if inserts is None:
            missing.append(f"{table} ({_about(rows)})" if rows else str(table))
        elif inserts == 0 and rows:
            without_rows.append(f"{table} ({_about(rows)})")
    if missing:
        yield Loss(f"the dump lacks {_counted(len(missing), 'table', 'tables')}", tuple(missing))
    if without_rows:
        yield Loss(f"the dump lacks all rows of {_counted(len(without_rows), 'table', 'tables')}", tuple(without_rows))


def _missing(
    kind: str, names: Collection[Named], in_dump: dict[str, Schema], of: Callable[[Schema], set[str]]
) -> Iterator[Loss]:
    missing = sorted(name for name in names if name.schema in in_dump and name.name not in of(in_dump[name.schema]))
    if missing:
        yield Loss(f"the dump lacks {_counted(len(missing), kind, f'{kind}s')}", tuple(str(name) for name in missing))
