"""The tables of steps and departures are those of the code."""

from __future__ import annotations

import re
import runpy
from pkgutil import resolve_name

import pytest

from blocks.database import UndercloudDatabase
from deployments.project import PROJECT
from flows.restore_undercloud_database import procedure
from tasks.engine.departures import departures_of
from tasks.engine.plan import plan_of
from tasks.runbooks.restore_galera.new_data import NUMBERS as NEW_DATA
from tasks.runbooks.restore_undercloud_database.job import Request, unknown_job
from tests.unit.docs.markdown import DOCS, STEPS, table
from tests.unit.fakes import FakeShell
from tests.unit.flows.jobs import ORDER

ROWS = table(STEPS, "Step")
SCHEMA_ROWS = table(DOCS / "restore-schemas.md", "Step of restore-schemas")
ACCOUNT_ROWS = table(DOCS / "restore-schemas.md", "Step of restore-accounts")
BACKUP_RESTORE_ROWS = table(STEPS, "Step from a backup")
METHOD_ROWS = table(STEPS, "Step of method=documented")
UNDERCLOUD_ROWS = table(STEPS, "Step of 4.5")
DOCUMENTED = {*map(str, range(1, 26))}


def test_the_departures_are_current() -> None:
    made = runpy.run_path(str(DOCS / "make_departures.py"))["text"]()
    assert (DOCS / "departures.md").read_text(encoding="utf-8") == made, "run `python docs/make_departures.py`"


def test_every_documented_step_is_there_in_the_order_in_which_it_is_taken() -> None:
    numbers = [row[0] for row in ROWS]
    assert set(numbers) >= DOCUMENTED
    assert numbers == list(ORDER)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_function_of_a_step_is_there(row: list[str]) -> None:
    assert callable(resolve_name(f"tasks.{row[4].strip('`')}"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_test_of_a_step_is_there(row: list[str]) -> None:
    file, _, name = row[5].strip("`").partition("::")
    text = (PROJECT / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)


@pytest.mark.parametrize("row", [*BACKUP_RESTORE_ROWS, *METHOD_ROWS], ids=lambda row: f"{row[0]} {row[1][:20]}")
def test_function_and_test_of_a_step_from_a_backup_are_there(row: list[str]) -> None:
    test_the_function_of_a_step_is_there([*row[:2], "", *row[2:]])
    test_the_test_of_a_step_is_there([*row[:2], "", *row[2:]])


def test_the_steps_from_a_backup_are_those_that_are_taken() -> None:
    assert tuple(row[0] for row in BACKUP_RESTORE_ROWS) == (*NEW_DATA, "7")
    text = (PROJECT / "tests/plans/restore-galera-documented.txt").read_text(encoding="utf-8")
    taken = set(re.findall(r"^(\w+)\. ", text, re.MULTILINE))
    assert {row[0] for row in METHOD_ROWS} == (taken - {*ORDER}) | {"14"}


@pytest.mark.parametrize("row", [*SCHEMA_ROWS, *ACCOUNT_ROWS], ids=lambda row: row[3].rpartition("::")[2][:30])
def test_function_and_test_of_a_step_of_a_restore_in_part_are_there(row: list[str]) -> None:
    test_the_function_of_a_step_is_there([*row[:2], "", "", *row[2:]])
    test_the_test_of_a_step_is_there([*row[:2], "", "", *row[2:]])


@pytest.mark.parametrize(
    ("plan", "rows"), [("restore-schemas-logical", SCHEMA_ROWS), ("restore-accounts", ACCOUNT_ROWS)]
)
def test_the_steps_of_a_restore_in_part_are_those_that_are_taken(plan: str, rows: list[list[str]]) -> None:
    taken = re.findall(r"^(\w+)\. ", (PROJECT / f"tests/plans/{plan}.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert [row[0] for row in rows] == taken


@pytest.mark.parametrize("row", UNDERCLOUD_ROWS, ids=lambda row: row[0])
def test_function_and_test_of_a_step_of_the_undercloud_are_there(row: list[str]) -> None:
    test_the_function_of_a_step_is_there([*row[:3], "", *row[3:]])
    test_the_test_of_a_step_is_there([*row[:3], "", *row[3:]])


def test_the_steps_of_the_undercloud_are_those_that_are_taken_and_depart_where_the_departures_say_so() -> None:
    job = unknown_job(FakeShell("undercloud"), UndercloudDatabase(), Request("/d.sql", 1, 1, 1, 1))
    assert [row[0] for row in UNDERCLOUD_ROWS] == list(plan_of(procedure, job).numbers)
    departures = departures_of("restore-undercloud-database").departures
    named = {step.strip() for departure in departures for step in departure.step.split(",")}
    assert named == {row[0] for row in UNDERCLOUD_ROWS if row[5] in {"yes", "added"}}


@pytest.mark.parametrize("row", table(DOCS / "autoscaling.md", "Document"), ids=lambda row: row[1])
def test_function_and_test_of_a_step_of_auto_scaling_are_there(row: list[str]) -> None:
    assert callable(resolve_name(f"tasks.{row[3].strip('`')}"))
    assert (PROJECT / "tests" / row[4].strip("`")).exists()


def test_a_documented_step_departs_where_the_departures_say_so() -> None:
    departures = departures_of("restore-galera").departures
    named = {step.strip() for departure in departures for step in departure.step.split(",")}
    departing = {row[0] for row in ROWS if row[6] == "yes"}
    assert departing & DOCUMENTED == named & DOCUMENTED
    assert named <= {row[0] for row in ROWS if row[6] in {"yes", "added"}}


BACKUP_ROWS = table(DOCS / "backups.md", "Backup step")


IMAGE_ROWS = table(DOCS / "images.md", "Image step")
RESUME_ROWS = table(DOCS / "images.md", "Resume step")
IMAGED_ROWS = table(DOCS / "images.md", "Step of images")


@pytest.mark.parametrize("row", [*BACKUP_ROWS, *IMAGE_ROWS], ids=lambda row: f"{row[0]} {row[1]}")
def test_function_and_test_of_a_backup_s_step_are_there(row: list[str]) -> None:
    assert callable(resolve_name(f"tasks.{row[4].strip('`')}"))
    file, _, name = row[5].strip("`").partition("::")
    text = (PROJECT / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)


OF_UNDERCLOUD_S_IMAGE = table(DOCS / "images.md", "Step of the undercloud's image")


@pytest.mark.parametrize("row", [*RESUME_ROWS, *IMAGED_ROWS, *OF_UNDERCLOUD_S_IMAGE], ids=lambda row: row[0])
def test_function_and_test_of_a_step_that_resumes_are_there(row: list[str]) -> None:
    test_function_and_test_of_a_backup_s_step_are_there([row[0], "", *row[1:]])


def test_every_step_of_a_backup_with_images_is_told_in_its_order() -> None:
    told = [row[0] for row in IMAGED_ROWS]
    of_the_database = {row[0] for row in BACKUP_ROWS} - set(told)
    plans = [PROJECT / "tests" / "plans" / f"backup-control-plane-{name}.txt" for name in ("images", "rolling")]
    taken = [
        dict.fromkeys(re.findall(r"^([\w.]+)\. ", plan.read_text(encoding="utf-8"), re.MULTILINE)) for plan in plans
    ]
    numbers = [[number for number in plan if number not in of_the_database] for plan in taken]
    assert {number for plan in numbers for number in plan} == set(told)
    for plan in numbers:
        assert [number for number in told if number in plan] == plan


def test_every_step_of_the_undercloud_s_image_is_told_in_its_order() -> None:
    text = (PROJECT / "tests" / "plans" / "backup-undercloud-image.txt").read_text(encoding="utf-8")
    taken = list(dict.fromkeys(re.findall(r"^(\w+)\. ", text, re.MULTILINE)))
    of_the_database = {row[0] for row in BACKUP_ROWS if "U" in row[1]}
    assert [number for number in taken if number not in of_the_database] == [row[0] for row in OF_UNDERCLOUD_S_IMAGE]


@pytest.mark.parametrize(
    "row",
    [
        *table(DOCS / "images.md", "What is gone"),
        *table(DOCS / "availability.md", "What is gone"),
        *table(DOCS / "availability.md", "Trap"),
    ],
    ids=lambda row: row[0],
)
def test_what_is_said_to_have_been_seen_has_a_test(row: list[str]) -> None:
    file, _, name = row[2].strip("`").partition("::")
    assert f"def {name}(" in (PROJECT / "tests" / file).read_text(encoding="utf-8")


def test_every_step_that_resumes_is_told_in_its_order() -> None:
    text = (PROJECT / "tests" / "plans" / "resume-control-plane.txt").read_text(encoding="utf-8")
    assert [row[0] for row in RESUME_ROWS] == re.findall(r"^(\w+)\. ", text, re.MULTILINE)


@pytest.mark.parametrize(("plan", "letter"), [("backup-control-plane", "C"), ("backup-undercloud", "U")])
def test_every_step_of_a_backup_is_told_in_its_order(plan: str, letter: str) -> None:
    text = (PROJECT / "tests" / "plans" / f"{plan}.txt").read_text(encoding="utf-8")
    taken = re.findall(r"^(\w+)\. ", text, re.MULTILINE)
    assert [row[0] for row in BACKUP_ROWS if letter in row[1].split(", ")] == taken


@pytest.mark.parametrize(("plan", "letter"), [("prepare-backup-node", "P"), ("install-rear", "R")])
def test_every_step_of_images_is_told_in_its_order(plan: str, letter: str) -> None:
    told = [row[0] for row in IMAGE_ROWS if row[1] == letter]
    taken = [
        list(dict.fromkeys(re.findall(r"^([\w.]+)\. ", (PROJECT / "tests" / "plans" / name).read_text(), re.MULTILINE)))
        for name in (f"{plan}.txt", f"{plan}-sftp.txt")
    ]
    assert set(told) == {number for numbers in taken for number in numbers}
    for numbers in taken:
        assert [number for number in told if number in numbers] == numbers


NODE_ROWS = table(DOCS / "restore-node.md", "Step of restore-node")


@pytest.mark.parametrize("row", NODE_ROWS, ids=lambda row: row[0])
def test_function_and_test_of_a_step_that_restores_nodes_are_there(row: list[str]) -> None:
    test_function_and_test_of_a_backup_s_step_are_there([row[0], "", *row[1:]])


def test_the_steps_that_restore_nodes_are_those_that_are_taken_and_depart_where_the_departures_say_so() -> None:
    text = (PROJECT / "tests" / "plans" / "restore-node.txt").read_text(encoding="utf-8")
    taken = re.findall(r"^([\w.]+)\. ", text, re.MULTILINE)
    assert [row[0] for row in NODE_ROWS] == taken
    departures = departures_of("restore-node").departures
    named = {step.strip() for departure in departures for step in departure.step.split(",")}
    assert named <= set(taken)
    assert named >= {number for number in taken if not number.isdigit() and "." not in number}, "what is added is told"


@pytest.mark.parametrize("row", table(DOCS / "restore-node.md", "What some BMCs do"), ids=lambda row: row[0][:30])
def test_what_is_said_of_bmcs_has_a_test(row: list[str]) -> None:
    test_what_is_said_to_have_been_seen_has_a_test(row)
