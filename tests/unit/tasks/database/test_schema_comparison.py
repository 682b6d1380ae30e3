"""Some schemas of what is in a server, also under other names."""

from __future__ import annotations

from tasks.database.contents import AccountContents, SchemaContents, ServerContents, TableContents
from tasks.database.contents_comparison import compare
from tasks.database.schema_comparison import of_schemas, tables_of

SCHEMA = SchemaContents(
    charset="utf8",
    collation="utf8_general_ci",
    tables={"instances": TableContents(engine="InnoDB", rows=3, content="7")},
    programs={"view": {"active": "0a"}},
)
SERVER = ServerContents(
    version="10.3.28-MariaDB",
    schemas={"nova": SCHEMA, "nova_new_x": SCHEMA, "heat": SCHEMA},
    accounts={"'nova'@'%'": AccountContents(login="1", limits="2")},
    unreadable={"view nova.broken": "no such table", "view heat.broken": "no such table"},
)


def test_of_some_schemas_nothing_of_others_and_no_account_is_left() -> None:
    some = of_schemas(SERVER, ["nova"])
    assert (set(some.schemas), dict(some.accounts), set(some.unreadable)) == ({"nova"}, {}, {"view nova.broken"})


def test_tables_under_another_name_are_compared_without_what_is_made_later() -> None:
    wanted, arrived = tables_of(SERVER, {"nova": "nova"}), tables_of(SERVER, {"nova_new_x": "nova"})
    assert compare(wanted, arrived).differences == ()
    assert wanted.schemas["nova"].programs == {}


def test_a_row_that_is_missing_under_the_other_name_is_found() -> None:
    fewer = SCHEMA.model_copy(update={"tables": {"instances": TableContents(engine="InnoDB", rows=2, content="5")}})
    there = SERVER.model_copy(update={"schemas": {"nova_new_x": fewer}})
    (difference,) = compare(tables_of(SERVER, {"nova": "nova"}), tables_of(there, {"nova_new_x": "nova"})).differences
    assert str(difference) == "table nova.instances: has one row fewer: 2, not 3"
