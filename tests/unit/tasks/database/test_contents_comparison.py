"""Each difference is said in words that an operator can act on; what was not compared is said, too."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.database.contents import (
    AccountContents,
    SchemaContents,
    SequenceContents,
    ServerContents,
    TableContents,
)
from tasks.database.contents_comparison import compare


def table(**other: Any) -> TableContents:
    whole = {"engine": "InnoDB", "definition": "d", "parts": {"column id": "1"}, "rows": 10, "content": "77"}
    return TableContents.model_validate({**whole, **other})


def server(
    tables: dict[str, TableContents] | None = None, account: AccountContents | None = None, **other: Any
) -> ServerContents:
    schema = {"charset": "utf8mb4", "collation": "utf8mb4_bin", **other.pop("schema", {})}
    schemas = {"nova": SchemaContents.model_validate({**schema, "tables": tables or {"instances": table()}})}
    accounts = {"'nova'@'%'": account or AccountContents(login="l", limits="m", grants={"`nova`.*": ("SELECT",)})}
    return ServerContents(**{"version": "10.3.28-MariaDB", "schemas": schemas, "accounts": accounts, **other})


def account(**other: Any) -> AccountContents:
    whole = {"login": "l", "limits": "m", "grants": {"`nova`.*": ("SELECT",)}}
    return AccountContents.model_validate({**whole, **other})


INSTANCES = "table nova.instances: "


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (server(schemas={}), ["schema nova: is missing"]),
        (
            server(version="10.6.1-MariaDB"),
            [
                "server: is MariaDB 10.6.1-MariaDB, not 10.3.28-MariaDB; definitions can differ in words alone",
            ],
        ),
        (server(version="10.3.35-MariaDB"), []),
        (server(took_s=9, galera="x:1"), []),
        (
            server(schema={"collation": "utf8mb4_ci"}),
            [
                "schema nova: has the default utf8mb4, utf8mb4_ci, not utf8mb4, utf8mb4_bin",
            ],
        ),
        (server({"other": table()}), [INSTANCES + "is missing", "table nova.other: is there, and was not backed up"]),
        (server({"instances": table(rows=9, content="1")}), [INSTANCES + "has one row fewer: 9, not 10"]),
        (server({"instances": table(rows=12, content="1")}), [INSTANCES + "has 2 rows more: 12, not 10"]),
        (server({"instances": table(content="1")}), [INSTANCES + "has as many rows, 10, and other values in them"]),
        (server({"instances": table(engine="Aria")}), [INSTANCES + "has the engine Aria, not InnoDB"]),
        (server({"instances": table(parts={})}), [INSTANCES + "column id: is missing"]),
        (server({"instances": table(parts={"column id": "2"})}), [INSTANCES + "column id: is defined in another way"]),
        (
            server({"instances": table(definition="e")}),
            [
                INSTANCES + "has another definition: its columns or indexes are in another order",
            ],
        ),
        (server(accounts={}), ["account 'nova'@'%': is missing"]),
        (
            server(account=account(login="x")),
            [
                "account 'nova'@'%': logs in with something else (another password, or another plugin)",
            ],
        ),
        (server(account=account(grants={})), ["account 'nova'@'%': has not on `nova`.*: SELECT"]),
        (
            server(account=account(roles={"reader": True})),
            ["account 'nova'@'%': has the role reader, which it had not"],
        ),
        (server(account=account(default_role="reader")), ["account 'nova'@'%': has the default role reader, not none"]),
        (server(unreadable={"view nova.v": "no"}), ["view nova.v: can't be read: no"]),
    ],
)
def test_a_difference_is_said(found: ServerContents, said: list[str]) -> None:
    assert [str(one) for one in compare(server(), found).differences] == said


def test_rows_that_no_snapshot_holds_are_said_to_be_such() -> None:
    aria = table(engine="Aria")
    (one,) = compare(server({"t": aria}), server({"t": table(engine="Aria", rows=11)})).differences
    assert "no snapshot holds rows of Aria: they may have been written while the dump was taken" in str(one)


@pytest.mark.parametrize(
    ("increment", "found", "said"),
    [(1, 100, True), (1, 101, False), (1, 150, False), (-1, 102, True), (-1, 50, False), (0, 100, True)],
)
def test_a_sequence_may_be_ahead_and_never_behind(increment: int, found: int, said: bool) -> None:
    def at(value: int) -> ServerContents:
        sequence = SequenceContents(definition="d", next_value=value, increment=increment)
        return server(schema={"sequences": {"ticket": sequence}})

    assert compare(at(101), at(found)).same is not said


@pytest.mark.parametrize("left_out_in", ["expected", "found"])
def test_what_was_left_out_is_not_compared_and_said(left_out_in: str) -> None:
    whole, part = server(), server({"instances": table(rows=None, content=None, left_out="it has 9 MiB")})
    expected, found = (part, whole) if left_out_in == "expected" else (whole, part)
    compared = compare(expected, found)
    assert compared.same
    assert [str(one) for one in compared.not_compared] == ["table nova.instances: rows not compared: it has 9 MiB"]


def test_history_is_said_not_to_be_compared() -> None:
    versioned = server({"instances": table(versioned=True)})
    compared = compare(versioned, versioned)
    assert [str(one) for one in compared.not_compared] == [
        "table nova.instances: history not compared: the rows of today alone are read"
    ]
