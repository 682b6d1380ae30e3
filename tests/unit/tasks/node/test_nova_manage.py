"""What nova-manage prints, good, empty, cut short and failed; made of the texts in its sources (see `tasks.node.nova_manage`)."""

from __future__ import annotations

import pytest

from blocks.remote.shell import Result
from tasks.node import nova_manage
from tasks.node.consistency import Seen
from tasks.node.nova_manage import parse_audit, parse_cells, parse_heal_allocations, parse_table

ONE, TWO = "0c7c9e6e-8a9e-4b2c-9d9f-0a1b2c3d4e5f", "1d8d0f7f-9baf-4c3d-8eae-1b2c3d4e5f60"
CRASH = "An error has occurred:\nTraceback (most recent call last):\n  File x\nkeystoneauth1.exceptions.http.Unauthorized: 401\n\n"
# Python's argparse, by way of oslo.config.
OLDER = Result(
    "", "usage: nova-manage placement [-h]\nnova-manage placement: error: argument action: invalid choice: 'audit'\n", 2
)

LOOKING = (
    "Running batches of 50 until complete\nLooking for instances in cell: 1(default)\nFound 2 candidate instances.\n"
)
UP_TO_DATE = f"The allocation of instance {TWO} is up-to-date. Nothing to be healed.\n"
HEALED = "Processed 0 instances.\n"


def healing(text: str, code: int = 4, stderr: str = "") -> Seen:
    return parse_heal_allocations(Result(text, stderr, code))


@pytest.mark.parametrize(
    "text", [LOOKING + UP_TO_DATE + HEALED, "Running batches of 50 until complete\nNo cells to process.\n"]
)
def test_instances_that_have_their_allocations_are_no_difference(text: str) -> None:
    assert healing(text) == Seen()


def test_instances_without_allocations_are_those_that_a_dry_run_would_heal() -> None:
    text = (
        f"{LOOKING}[dry-run] Create allocations for instance {ONE}: {{'allocations': {{}}}}\n"
        f"[dry-run] Update allocations for instance {TWO}: {{'allocations': {{}}}}\n{HEALED}"
    )
    assert healing(text) == Seen((f"instance {ONE} has no allocations", f"instance {TWO} lacks allocations"))


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("", 4, "heal_allocations has not come to its end: it said nothing"),
        (LOOKING, 4, "heal_allocations has not come to its end: Found 2 candidate instances."),
        (
            LOOKING + "Compute host compute-0 could not be found.\n",
            2,
            "exit code 2: Compute host compute-0 could not be found.",
        ),
        ("Cannot connect to the placement API\n", 3, "exit code 3: Cannot connect to the placement API"),
        (CRASH, 255, "exit code 255: keystoneauth1.exceptions.http.Unauthorized: 401"),
    ],
)
def test_a_dry_run_that_does_not_come_to_its_end_is_no_agreement(text: str, code: int, why: str) -> None:
    assert healing(text, code) == Seen(unknown=why)


def test_a_password_in_an_address_is_not_told() -> None:
    said = (
        "sqlalchemy.exc.ArgumentError: Could not parse rfc1738 URL from string 'mysql+pymysql://nova:s3cr@t@vip/nova'\n"
    )
    told = healing(said, 255).unknown
    assert "s3cr" not in told
    assert told.endswith("'mysql+pymysql://****@vip/nova'")


def orphan(consumer: str) -> str:
    return (
        f"Allocations were set against consumer UUID {consumer} but no existing instances or active migrations are related. \n"
        f"Allocations for consumer UUID {consumer} on Resource Provider {TWO} can be deleted: {{'VCPU': 1}}\n"
    )


def audit(text: str, code: int, stderr: str = "") -> Seen:
    return parse_audit(Result(text, stderr, code))


def test_an_audit_that_finds_nothing_prints_nothing() -> None:
    assert audit("", 0) == Seen()


@pytest.mark.parametrize("consumers", [(ONE,), (ONE, TWO)])
def test_allocations_that_are_no_instances_are_counted(consumers: tuple[str, ...]) -> None:
    text = "".join(map(orphan, consumers)) + f"Processed {len(consumers)} allocation{'s' * (len(consumers) > 1)}.\n"
    found = audit(text, 3)
    assert found.unknown == ""
    assert found.differences == tuple(
        f"allocations of consumer {each} on resource provider {TWO} are no instance's" for each in consumers
    )


def test_a_compute_node_that_nova_has_lost_is_told_with_the_allocations_that_are_called_orphaned_for_it() -> None:
    lost = f"The compute node for UUID {TWO} can not be found\n"
    found = audit(f"{lost}{orphan(ONE)}Processed 1 allocation.\n", 3)
    assert found.differences[-1] == f"resource provider {TWO} is no compute node of Nova's"
    assert audit(lost, 0) == Seen(), "a provider without allocations is another service's"


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        (orphan(ONE), 3, "audit tells of no allocations and lists 1"),
        (f"{orphan(ONE)}Processed 2 allocations.\n", 3, "audit tells of 2 allocations and lists 1"),
        ("", 3, "audit ended with 3 and lists 0 allocations"),
        (f"{orphan(ONE)}Processed 1 allocation.\n", 0, "audit ended with 0 and lists 1 allocations"),
        (CRASH, 255, "exit code 255: keystoneauth1.exceptions.http.Unauthorized: 401"),
        ("", 127, "exit code 127: it said nothing"),
    ],
)
def test_an_audit_that_contradicts_itself_or_fails_is_no_agreement(text: str, code: int, why: str) -> None:
    assert audit(text, code).unknown == why


def test_a_release_without_the_audit_has_nothing_to_compare() -> None:
    assert parse_audit(OLDER) == Seen(nothing="this release has no `nova-manage placement audit`")


def test_an_image_without_nova_manage_has_nothing_to_compare() -> None:
    said = 'Error: exec failed: container_linux.go:349: "nova-manage": executable file not found in $PATH\n'
    assert healing("", 127, said) == Seen(nothing="the container has no nova-manage")


CELLS = """\
+---------+--------------------------------------+-----------------------------+------------------------------+----------+
|   Name  |                 UUID                 |        Transport URL        |     Database Connection      | Disabled |
+---------+--------------------------------------+-----------------------------+------------------------------+----------+
|  cell0  | 00000000-0000-0000-0000-000000000000 |           none:/            | mysql://nova:****@vip/cell0  |  False   |
| default | 0c7c9e6e-8a9e-4b2c-9d9f-0a1b2c3d4e5f | rabbit://guest:****@c0:5672 |  mysql://nova:****@vip/nova  |  False   |
+---------+--------------------------------------+-----------------------------+------------------------------+----------+
"""
MAPPED = """\
+-----------+--------------------------------------+------------------------+
| Cell Name |              Cell UUID               |        Hostname        |
+-----------+--------------------------------------+------------------------+
|  default  | 0c7c9e6e-8a9e-4b2c-9d9f-0a1b2c3d4e5f | Compute-0.localdomain  |
|  default  | 0c7c9e6e-8a9e-4b2c-9d9f-0a1b2c3d4e5f |       compute-1        |
+-----------+--------------------------------------+------------------------+
"""
HOSTS = ("compute-0", "compute-1")


def head(table: str) -> str:
    """The table without its rows: as prettytable prints an empty one."""
    lines = table.splitlines()
    return "\n".join([*lines[:3], lines[-1]]) + "\n"


def cells(listed: str = CELLS, mapped: str = MAPPED, hosts: tuple[str, ...] = HOSTS, code: int = 0) -> Seen:
    return parse_cells([Result(listed, "", 0), Result(mapped, "", code)], hosts)


def test_hosts_that_are_in_a_cell_by_short_or_full_name_are_no_difference() -> None:
    assert cells() == Seen()


def test_a_compute_node_that_is_in_no_cell_is_named() -> None:
    assert cells(hosts=(*HOSTS, "compute-2")) == Seen(("compute node compute-2 is in no cell",))
    assert cells(mapped=head(MAPPED)).differences == tuple(f"compute node {host} is in no cell" for host in HOSTS)


def test_cells_that_are_missing_are_told() -> None:
    only_cell0 = "\n".join(line for line in CELLS.splitlines() if "default" not in line)
    assert cells(only_cell0).differences == ("there is no cell but cell0",)
    assert cells(head(CELLS)).differences == ("there is no cell0", "there is no cell but cell0")


def test_without_compute_nodes_in_the_inventory_nobody_knows_whether_all_are_mapped() -> None:
    assert cells(hosts=()).unknown.startswith("the inventory has no group nova_compute")
    assert cells(head(CELLS), hosts=()).differences, "cells are looked at all the same"


@pytest.mark.parametrize(
    ("mapped", "code", "why"),
    [
        ("", 0, "no whole table: it said nothing"),
        (MAPPED[:300], 0, "no whole table: "),
        (MAPPED[: MAPPED.rindex("+--") - 1], 0, "no whole table: "),
        (MAPPED.replace("Hostname", "Host    "), 0, "no table with Hostname"),
        (MAPPED.replace("|       compute-1        |", "|"), 0, "no table with Hostname"),
        (CRASH, 255, "list_hosts: exit code 255: keystoneauth1.exceptions.http.Unauthorized: 401"),
    ],
)
def test_a_table_that_is_not_whole_is_no_agreement(mapped: str, code: int, why: str) -> None:
    seen = cells(mapped=mapped, code=code)
    assert seen.unknown.startswith(why)
    assert seen.differences == ()


def test_columns_are_found_by_their_heads() -> None:
    assert parse_table(Result(CELLS, "", 0), "Disabled", "Name") == [("False", "cell0"), ("False", "default")]


def test_what_looks_changes_nothing_and_what_repairs_is_the_same_command_without_the_dry_run() -> None:
    agreements = (nova_manage.ALLOCATIONS, nova_manage.ORPHANED_ALLOCATIONS, nova_manage.cells(HOSTS))
    looks = [look for each in agreements for look in each.looks]
    assert not any(look.changes or "--delete" in look.words or "discover_hosts" in look.words for look in looks)
    assert "--dry-run" in nova_manage.ALLOCATIONS.looks[0].words
    assert all(each.repair.changes and "--dry-run" not in each.repair.words for each in agreements)
    assert all(look.words[:5] == ("podman", "exec", "--user", "nova", "nova_api") for look in looks)


@pytest.mark.parametrize(
    ("agreement", "good", "bad"),
    [
        (nova_manage.ALLOCATIONS, (0, 4), (2, 3, 255)),
        (nova_manage.ORPHANED_ALLOCATIONS, (0, 4), (1, 3, 255)),
        (nova_manage.cells(HOSTS), (0,), (2, 255)),
    ],
)
def test_a_repair_is_judged_by_its_exit_code(agreement: object, good: tuple[int, ...], bad: tuple[int, ...]) -> None:
    failed = agreement.failed  # type: ignore[attr-defined]
    assert [failed(Result("", "", code)) for code in good] == [""] * len(good)
    assert all(failed(Result("why\n", "", code)) == f"exit code {code}: why" for code in bad)
