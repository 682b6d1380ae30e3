"""What a backup lacks of a database that answers, told by its inventory."""

from __future__ import annotations

from tasks.database.access import Account
from tasks.database.contents import AccountContents, SchemaContents, SequenceContents, ServerContents, TableContents
from tasks.database.contents_losses import as_dump
from tasks.database.inventory import Inventory, Named
from tasks.database.losses import losses_against_inventory, losses_within_files

LOGIN = AccountContents(login="1", limits="2")
CONTENTS = ServerContents(
    version="10.3.28-MariaDB",
    schemas={
        "nova": SchemaContents(
            charset="utf8",
            collation="utf8_general_ci",
            tables={
                "user": TableContents(engine="InnoDB", rows=3),
                "empty": TableContents(engine="InnoDB", rows=0),
                "huge": TableContents(engine="InnoDB", left_out="too large"),
            },
            sequences={"s": SequenceContents()},
            programs={"view": {"v": "1"}, "package body": {"p": "2"}, "event": {"e": "3"}, "trigger": {"t": "4"}},
        )
    },
    accounts={"'nova'@'%'": LOGIN, "'o'@'brien'@'host.example'": LOGIN, "role reader": LOGIN},
)


def inventory(**more: object) -> Inventory:
    """What a database holds: all that is in the backup, unless it is said otherwise."""
    names = [Named("nova", name) for name in ("user", "empty", "huge", "s")]
    known: dict[str, object] = {
        "schemas": frozenset({"nova"}),
        "tables": dict.fromkeys(names, 5) | {Named("nova", "empty"): 0},
        "views": frozenset({Named("nova", "v")}),
        "routines": frozenset({Named("nova", "p")}),
        "events": frozenset({Named("nova", "e")}),
        "triggers": frozenset({Named("nova", "t")}),
        "accounts": frozenset({Account("nova", "%"), Account("o'@'brien", "host.example")}),
        "roles": frozenset({"reader"}),
    }
    return Inventory(host="controller-0", **(known | more))  # type: ignore[arg-type]


def test_what_is_in_the_backup_is_no_loss() -> None:
    contents, grants = as_dump(CONTENTS)
    assert list(losses_within_files(contents, grants)) == []
    assert list(losses_against_inventory(inventory(), contents, grants)) == []


def test_what_it_lacks_is_told_by_name() -> None:
    contents, grants = as_dump(CONTENTS)
    there = inventory(
        schemas=frozenset({"nova", "heat"}),
        tables={Named("nova", "empty"): 7, Named("nova", "new"): 7},
        events=frozenset({Named("nova", "other")}),
        accounts=frozenset({Account("heat", "%")}),
        roles=frozenset({"writer"}),
    )
    told = "\n".join(loss.full for loss in losses_against_inventory(there, contents, grants))
    for name in ("heat (empty)", "nova.new", "nova.empty", "nova.other", "'heat'@'%'", "writer"):
        assert name in told
