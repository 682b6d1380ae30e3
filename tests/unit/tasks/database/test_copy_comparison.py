"""Of a physical copy all is compared that was the same before and after it; of the rest it is said what was not."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.database.contents import AccountContents, SchemaContents, ServerContents, TableContents
from tasks.database.copy_comparison import compare_copy

ONE, TWO = "2026-11-27 01:30:00", "2026-11-27 01:31:00"
INSTANCES = "table nova.instances"
WRITTEN = f"{INSTANCES}: written while the copy was made: compared by definition, and every row was read"


def table(**other: Any) -> TableContents:
    whole = {"engine": "InnoDB", "definition": "d", "parts": {"column id": "1"}, "rows": 10, "content": "77"}
    return TableContents.model_validate({**whole, **other})


def schema(tables: dict[str, TableContents], **other: Any) -> SchemaContents:
    return SchemaContents.model_validate({"charset": "utf8mb4", "collation": "utf8mb4_bin", **other, "tables": tables})


def server(instances: TableContents | None = None, **other: Any) -> ServerContents:
    """A server with one table, `nova.instances`, and one account."""
    schemas = {"nova": schema({"instances": instances or table()}), **other.pop("schemas", {})}
    accounts = {"'nova'@'%'": AccountContents(login=other.pop("login", "l"), limits="m")}
    return ServerContents(version="10.3.28-MariaDB", schemas=schemas, accounts=accounts, **other)


def differences(before: ServerContents, after: ServerContents, found: ServerContents) -> list[str]:
    return [str(each) for each in compare_copy(before, after, found).differences]


def not_compared(before: ServerContents, after: ServerContents, found: ServerContents) -> list[str]:
    return [str(each) for each in compare_copy(before, after, found).not_compared]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (server(), []),
        (server(table(rows=9, content="1")), [f"{INSTANCES}: has one row fewer: 9, not 10"]),
        (server(table(content="1")), [f"{INSTANCES}: has as many rows, 10, and other values in them"]),
        (server(table(parts={})), [f"{INSTANCES}: column id: is missing"]),
        (server(login="x"), ["account 'nova'@'%': logs in with something else (another password, or another plugin)"]),
        (server(unreadable={INSTANCES: "no file"}), [f"{INSTANCES}: can't be read: no file"]),
    ],
)
def test_what_was_the_same_before_and_after_must_be_so_in_the_copy(found: ServerContents, said: list[str]) -> None:
    assert differences(server(), server(), found) == said
    assert not_compared(server(), server(), found) == []


@pytest.mark.parametrize(
    "after",
    [table(rows=12, content="9"), table(content="9"), table(written=TWO)],
    ids=["rows", "values", "a row that came and went"],
)
@pytest.mark.parametrize("found", [table(), table(rows=11, content="5")])
def test_rows_that_were_written_in_between_may_be_any(after: TableContents, found: TableContents) -> None:
    before = server(table(written=ONE))
    assert differences(before, server(after), server(found)) == []
    assert not_compared(before, server(after), server(found)) == [WRITTEN]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (server(table(parts={})), f"{INSTANCES}: column id: is missing"),
        (server(unreadable={INSTANCES: "no file"}), f"{INSTANCES}: can't be read: no file"),
        (server().model_copy(update={"schemas": {"nova": schema({})}}), f"{INSTANCES}: is missing"),
        (server().model_copy(update={"schemas": {}}), "schema nova: is missing"),
    ],
)
def test_of_a_table_that_was_written_the_rest_is_compared(found: ServerContents, said: str) -> None:
    assert differences(server(), server(table(content="9")), found) == [said]


def test_several_tables_that_were_written_are_told_in_one_sentence() -> None:
    more = {"heat": schema({"stack": table(), "event": table()})}
    later = {"heat": schema({"stack": table(content="8"), "event": table(content="8")})}
    assert not_compared(server(schemas=more), server(schemas=later), server(schemas=more)) == [
        "tables heat.event, heat.stack: written while the copy was made: compared by definition, and every row was read"
    ]


CHANGED = "not compared: it was changed while the copy was made"


@pytest.mark.parametrize("found", [server(), server(table(parts={"column id": "2"}))])
def test_a_definition_that_was_changed_in_between_is_not_compared(found: ServerContents) -> None:
    after = server(table(parts={"column id": "2"}, content="9"))
    assert differences(server(), after, found) == []
    assert not_compared(server(), after, found) == [f"{INSTANCES}: {CHANGED}"]


def test_what_was_changed_in_between_and_cannot_be_read_in_the_copy_is_told() -> None:
    after, found = server(table(parts={})), server(unreadable={INSTANCES: "no file"})
    assert differences(server(), after, found) == [f"{INSTANCES}: can't be read: no file"]
    assert differences(server(), server(unreadable={INSTANCES: "x"}), found) == [], "it could not be read there either"


@pytest.mark.parametrize("in_the_copy", [True, False])
@pytest.mark.parametrize("made", [True, False], ids=["made", "dropped"])
def test_what_was_made_or_dropped_in_between_may_be_there_or_not(made: bool, in_the_copy: bool) -> None:
    with_it, without_it = server(schemas={"heat": schema({"stack": table()})}), server()
    before, after = (without_it, with_it) if made else (with_it, without_it)
    found = server(schemas={"heat": schema({})}) if in_the_copy else without_it
    assert differences(before, after, found) == []
    assert not_compared(before, after, found) == [f"schema heat: {CHANGED}"]
    assert differences(before, after, server(table(content="1"), schemas={"heat": schema({})})) != []


def test_what_was_left_out_at_either_time_is_not_compared() -> None:
    left = table(rows=None, content=None, left_out="the 60 s for hashing were over")
    whole = server(table(content="1"))
    assert differences(server(left), server(), whole) == []
    assert not_compared(server(left), server(), whole) == [
        f"{INSTANCES}: rows not compared: the 60 s for hashing were over"
    ]
    assert differences(server(), server(left), whole) == []
    assert not_compared(server(), server(left), whole) == [
        f"{INSTANCES}: rows not compared: after the copy the 60 s for hashing were over"
    ]


def test_no_rows_of_a_copy_are_excused_with_a_dump() -> None:
    aria = server(table(engine="Aria"))
    (said,) = differences(aria, aria, server(table(engine="Aria", rows=9, content="1")))
    assert said == f"{INSTANCES}: has one row fewer: 9, not 10"
