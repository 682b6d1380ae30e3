"""Comparing some schemas alone, also while their tables bear another schema's name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tasks.database.contents import SchemaContents, ServerContents


def of_schemas(contents: ServerContents, schemas: Collection[str]) -> ServerContents:
    """The same with these schemas alone, and without accounts.

    Args:
        contents: What is in a server.
        schemas: Names.
    """
    chosen = {name: schema for name, schema in contents.schemas.items() if name in schemas}
    # `view nova.active`
    unreadable = {
        what: why for what, why in contents.unreadable.items() if what.partition(" ")[2].partition(".")[0] in schemas
    }
    return contents.model_copy(update={"schemas": chosen, "accounts": {}, "unreadable": unreadable})


def tables_of(contents: ServerContents, names: Mapping[str, str]) -> ServerContents:
    """The tables and sequences of some schemas, each schema under another name.

    Args:
        contents: What is in a server.
        names: Name of a schema → what it is called.
    """
    found = of_schemas(contents, names.keys())
    schemas: dict[str, SchemaContents] = {
        names[name]: schema.model_copy(update={"programs": {}}) for name, schema in found.schemas.items()
    }
    return found.model_copy(update={"schemas": schemas, "unreadable": {}})
