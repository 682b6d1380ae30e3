"""Before anybody approves, what the dump and the grants lack is told by its names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.database.access import Account
from tasks.database.dump_contents import Contents, Schema
from tasks.database.grants import parse_grants
from tasks.database.inventory import Inventory, Named
from tasks.database.losses import Loss, find_losses, losses_against_inventory, losses_within_files
from tasks.database.mariadb import Server
from tests.unit.fakes import FakeShell
from tests.unit.tasks.control_plane import INVENTORY

GRANTS = "GRANT ALL ON nova.* TO nova@'%'; GRANT ALL ON `keystone`.* TO keystone@'%';"


def dump(**schemas: Schema) -> Contents:
    return Contents(schemas=schemas)


NOVA = Schema(True, {"instances": 3, "faults": 1}, {"active"}, {"vcpus_of"}, {"log"}, {"purge"})
THERE = Inventory(
    host="controller-0",
    schemas=frozenset({"nova"}),
    tables={Named("nova", "instances"): 2000, Named("nova", "faults"): 0},
    views=frozenset({Named("nova", "active")}),
    routines=frozenset({Named("nova", "vcpus_of")}),
    events=frozenset({Named("nova", "purge")}),
    triggers=frozenset({Named("nova", "log")}),
    accounts=frozenset({Account("nova", "%")}),
    roles=frozenset(),
)


def lost(there: Inventory = THERE, contents: Contents | None = None, grants: str = GRANTS) -> list[str]:
    return [loss.full for loss in losses_against_inventory(there, contents or dump(nova=NOVA), parse_grants(grants))]


def test_a_dump_that_has_it_all_lacks_nothing() -> None:
    assert lost() == []


def test_more_in_the_dump_than_there_is_is_no_loss() -> None:
    assert lost(replace(THERE, tables={}, views=frozenset(), schemas=frozenset({"nova", "test"}))) == []


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (replace(THERE, schemas=frozenset({"nova", "views"}), views=frozenset({Named("views", "a"), Named("views", "b")})),
         "the dump lacks 1 schema: views (2 views)"),
        (replace(THERE, schemas=frozenset({"nova", "b", "a"}), tables={Named("a", "t"): 416, Named("a", "u"): 0}),
         "the dump lacks 2 schemas: a (2 tables, hundreds of rows), b (empty)"),
        (replace(THERE, tables={Named("nova", "new"): 1, Named("nova", "none"): 0}),
         "the dump lacks 2 tables: nova.new (some rows), nova.none"),
        (replace(THERE, views=frozenset({Named("nova", "other")})), "the dump lacks 1 view: nova.other"),
        (replace(THERE, routines=frozenset({Named("nova", "p"), Named("nova", "f")})),
         "the dump lacks 2 routines: nova.f, nova.p"),
        (replace(THERE, events=frozenset({Named("nova", "e")})), "the dump lacks 1 event: nova.e"),
        (replace(THERE, triggers=frozenset({Named("nova", "t")})), "the dump lacks 1 trigger: nova.t"),
        (replace(THERE, accounts=frozenset({Account("nova", "ctl-0.example"), Account("nova", "%")})),
         "the grants lack 1 account: 'nova'@'ctl-0.example'"),
        (replace(THERE, roles=frozenset({"reader"})), "the grants lack 1 role: reader"),
    ],
)  # fmt: skip
def test_what_the_files_lack_of_what_is_there_is_told_by_name(there: Inventory, said: str) -> None:
    assert lost(there) == [said]


def test_a_table_without_a_row_in_the_dump_is_told_where_there_are_rows() -> None:
    bare = replace_tables(NOVA, {"instances": 0, "faults": 0})
    assert lost(contents=dump(nova=bare)) == ["the dump lacks all rows of 1 table: nova.instances (thousands of rows)"]


def replace_tables(schema: Schema, tables: dict[str, int]) -> Schema:
    return replace(schema, tables=tables)


def test_a_role_that_the_grants_name_and_do_not_make_loses_what_it_grants() -> None:
    there = replace(THERE, roles=frozenset({"reader"}))
    named = GRANTS + "GRANT reader TO nova@'%';"
    assert lost(there, grants=named) == ["the grants lack what 1 role grants: reader"]
    assert lost(there, grants=named + "GRANT SELECT ON nova.* TO reader;") == []


def test_a_dump_of_the_whole_server_has_accounts_routines_and_events_as_rows() -> None:
    there = replace(
        THERE,
        accounts=frozenset({Account("other", "%")}),
        roles=frozenset({"reader"}),
        routines=frozenset({Named("nova", "p")}),
        events=frozenset({Named("nova", "e")}),
    )
    system = Schema(True, {"global_priv": 1, "proc": 1, "event": 0})
    assert lost(there, dump(nova=NOVA, mysql=system)) == ["the dump lacks 1 event: nova.e"]


def in_the_files(contents: Contents, grants: str = GRANTS) -> list[str]:
    return [loss.full for loss in losses_within_files(contents, parse_grants(grants))]


def test_a_dump_without_a_row_is_told() -> None:
    assert in_the_files(dump(nova=Schema(True, {"t": 0}), keystone=Schema(True, {"t": 0}))) == [
        "the dump has no rows: no INSERT in any of its tables, as with --no-data"
    ]


@pytest.mark.parametrize("schema", ["nova\\_api", "nova_api", "nova%", "nova\\\\_api", "%"])
def test_a_grant_on_a_pattern_is_held_against_what_it_stands_for(schema: str) -> None:
    assert in_the_files(dump(nova_api=NOVA), f"GRANT ALL ON `{schema}`.* TO a@b;") == []


def test_a_dump_of_one_service_is_told_by_the_grants_for_eight() -> None:
    services = ("cinder", "glance", "heat", "keystone", "neutron", "nova", "nova_api", "placement")
    grants = "".join(f"GRANT ALL ON `{name}`.* TO {name}@'%';" for name in services)
    assert in_the_files(dump(nova=NOVA), grants) == [
        "the grants name 8 schemas, of which the dump does not hold 7: "
        "cinder, glance, heat, keystone, neutron, nova_api, placement"
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        *((1, "some rows"), (10, "tens of rows"), (999, "hundreds of rows"), (1000, "thousands of rows")),
        *((99_999, "tens of thousands of rows"), (100_000, "hundreds of thousands of rows"), (10**7, "tens of millions of rows")),
        (10**9, "billions of rows"),
    ],
)  # fmt: skip
def test_rows_are_an_order_of_magnitude_so_that_what_was_approved_stays_the_same(rows: int, said: str) -> None:
    there = replace(THERE, tables={Named("nova", "new"): rows})
    assert lost(there) == [f"the dump lacks 1 table: nova.new ({said})"]


def test_many_names_are_cut_where_it_is_approved_and_not_in_the_report() -> None:
    loss = Loss("the dump lacks 30 tables", tuple(f"t{number}" for number in range(30)))
    assert loss.shown(2) == "the dump lacks 30 tables: t0, t1 and 28 more"
    assert loss.full.count("t") == 30 + 2


SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")


def test_the_first_database_that_answers_says_what_will_be_missing() -> None:
    silent = FakeShell("controller-0").on("mysql", say=1)
    there = FakeShell("controller-1").on("mysql", say=f"schema\tkeystone\t\t0\n{INVENTORY}")
    held, grants = dump(nova=Schema(True, {"user": 1})), parse_grants("GRANT USAGE ON *.* TO nova@'%';")
    (loss,) = find_losses([(silent, SERVER), (there, SERVER)], held, True, grants)
    assert loss.full == "the dump lacks 1 schema of what controller-1's database has: keystone (empty)"


def test_where_no_database_answers_that_is_told() -> None:
    (loss,) = find_losses([(FakeShell().on("mysql", say=1), SERVER)], dump(nova=NOVA), untouched=True)
    assert "no database answers" in loss.full


def test_a_half_built_database_is_not_asked() -> None:
    assert find_losses([], dump(nova=NOVA), untouched=False) == []
