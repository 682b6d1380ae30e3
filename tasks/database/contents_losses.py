"""What a backup's inventory holds, in the form in which losses are looked for (`tasks.database.losses`)."""

from __future__ import annotations

from tasks.database.access import Account
from tasks.database.contents import SchemaContents, ServerContents
from tasks.database.dump_contents import Contents, Schema
from tasks.database.grants import Grants

_ROLE = "role "
_ROUTINES = ("function", "procedure", "package", "package body")


def as_dump(contents: ServerContents) -> tuple[Contents, Grants]:
    """Say of a backup what would be read of its dump and of its grants.

    Args:
        contents: Its inventory.
    """
    schemas = {name: _schema(schema) for name, schema in contents.schemas.items()}
    roles = tuple(name.removeprefix(_ROLE) for name in contents.accounts if name.startswith(_ROLE))
    accounts = tuple(_account(name) for name in contents.accounts if not name.startswith(_ROLE))
    return Contents(schemas=schemas), Grants(accounts, roles, ())


def _schema(schema: SchemaContents) -> Schema:
    def named(*kinds: str) -> set[str]:
        return {name for kind in kinds for name in schema.programs.get(kind, {})}

    # A table that was not counted may have rows.
    tables = {name: 1 if table.rows is None else table.rows for name, table in schema.tables.items()}
    return Schema(
        created=True,
        tables=tables | dict.fromkeys(schema.sequences, 1),
        views=named("view"),
        routines=named(*_ROUTINES),
        triggers=named("trigger"),
        events=named("event"),
    )


def _account(shown: str) -> Account:
    """Read `'user'@'host'` as an account writes itself; a name may have quotes in it."""
    user, _, host = shown[1:-1].rpartition("'@'")
    return Account(user, host)
