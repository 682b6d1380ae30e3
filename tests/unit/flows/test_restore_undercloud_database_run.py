"""The whole procedure on an undercloud in memory: whole, interrupted at every change, and taken up again."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import cast

import pytest

from blocks.remote.errors import Refused
from blocks.remote.shell import Shell
from flows.restore_undercloud_database import procedure
from tasks.engine.journal import Journal
from tasks.engine.plan import Plan, plan_of
from tasks.engine.run import Run
from tasks.engine.step import StepFailed
from tasks.runbooks.restore_undercloud_database.job import NAME, Job, Request
from tasks.runbooks.restore_undercloud_database.preflight import look
from tests.unit.flows.cluster import Killed
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.undercloud import DUMP, DUMP_TEXT, STRAY, UNITS, Undercloud
from tests.unit.tasks.control_plane import PASSWORD, directory, give_file
from tests.unit.tasks.samples import KEPT, SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
LATER = datetime(2026, 11, 22, tzinfo=UTC)
REQUEST = Request(DUMP, stop_s=900, start_s=300, copy_s=14400, load_s=14400)


def prepare(undercloud: Undercloud, started: datetime | None = None) -> tuple[Run, Job]:
    new = journal(runbook=NAME, **({"started": started} if started else {}))
    run = Run(NAME, SITE, {"undercloud": cast("Shell", undercloud)}, False, new)
    return run, look(run, REQUEST, lambda job: plan_of(procedure, job).numbers)


def restore(undercloud: Undercloud, started: datetime | None = None) -> Run:
    """One run of the flow: preflight, then the procedure."""
    run, job = prepare(undercloud, started)
    run.begin(job.resume.take_up, "22222222")
    procedure(run, job)
    run.finish()
    return run


def kill(undercloud: Undercloud, at: int, *, after: bool) -> None:
    """Run until the flow's process dies at a change."""
    undercloud.changes, undercloud.kill_at, undercloud.after = 0, at, after
    with suppress(Killed):
        restore(undercloud)
    undercloud.dead, undercloud.kill_at = False, 0


def is_restored(undercloud: Undercloud, kept: dict[str, str] | None = None) -> None:
    assert undercloud.data == "served"
    assert undercloud.kept == (kept or {KEPT: "original"})
    assert {unit for unit, state in undercloud.units.items() if state == "active"} == set(UNITS)
    assert undercloud.containers == {"mysql": True, "keystone": True, STRAY: True, "old": False}
    assert undercloud.files == set()
    assert "current.json" not in undercloud.journals


def test_the_dump_is_there_the_old_data_is_kept_and_the_same_runs_again() -> None:
    undercloud = Undercloud()
    run = restore(undercloud)
    is_restored(undercloud)
    assert undercloud.runs == {}
    closed = Journal.model_validate_json(next(iter(undercloud.journals.values())))
    assert (closed.finished, closed.in_force) == (True, {})
    told = {record.number.split(".")[0] for record in run.journal.records}
    assert {str(number) for number in range(1, 12)} <= told


def test_a_mount_point_keeps_its_old_data_as_a_copy() -> None:
    undercloud = Undercloud()
    undercloud.mount_point = True
    restore(undercloud)
    is_restored(undercloud)


@cache
def changes() -> int:
    undercloud = Undercloud()
    restore(undercloud)
    assert undercloud.changes > 25, "the tests below would kill next to nothing"
    return undercloud.changes


@pytest.mark.parametrize("mount_point", [False, True])
def test_a_run_that_is_killed_at_any_change_is_taken_up_to_the_same_end(mount_point: bool) -> None:
    for at in range(1, changes() + 1):
        undercloud = Undercloud()
        undercloud.mount_point = mount_point
        kill(undercloud, at, after=at > 1)
        if "current.json" in undercloud.journals or at == 1:
            restore(undercloud)
        try:
            is_restored(undercloud)
        except AssertionError as error:
            raise AssertionError(f"killed at change {at}") from error


def test_an_undercloud_that_loses_power_as_the_run_dies_loses_nothing_that_its_services_wrote() -> None:
    for at in range(2, changes()):
        undercloud = Undercloud()
        kill(undercloud, at, after=True)
        undercloud.reboot()
        undercloud.containers[STRAY] = True  # its agent starts it again
        if "current.json" in undercloud.journals:
            restore(undercloud, LATER)
        assert undercloud.kept.get(KEPT, "original") == "original", f"killed at change {at}"
        assert "original" in undercloud.kept.values(), f"killed at change {at}"
        is_restored(undercloud, {name: str(data) for name, data in undercloud.kept.items()})


def begun(undercloud: Undercloud) -> str:
    return Journal.model_validate_json(undercloud.journals["current.json"]).begun


def killed_at_step(number: str) -> Undercloud:
    """An undercloud on which a run has died as soon as this step was on record."""
    for at in range(1, changes() + 1):
        undercloud = Undercloud()
        kill(undercloud, at, after=True)
        if undercloud.journals.get("current.json") and begun(undercloud) == number:
            return undercloud
    raise LookupError(number)


@pytest.mark.parametrize("number", ["5", "8", "9", "10.1", "10.2"])
def test_another_dump_is_made_anew_and_never_taken_for_the_first(number: str) -> None:
    undercloud = killed_at_step(number)
    give_file(undercloud, DUMP, DUMP_TEXT.replace("VALUES (1)", "VALUES (1),(2)"))
    restore(undercloud)
    is_restored(undercloud)


def test_another_dump_after_the_services_were_started_is_a_job_of_its_own() -> None:
    undercloud = killed_at_step("11")
    give_file(undercloud, DUMP, DUMP_TEXT.replace("VALUES (1)", "VALUES (1),(2)"))
    restore(undercloud, LATER)
    is_restored(undercloud, {KEPT: "original", "/var/lib/mysql-save-20261122T000000Z": "served"})


def test_a_unit_that_does_not_come_back_is_told_by_its_name_and_the_next_run_only_starts_it() -> None:
    undercloud = Undercloud()
    undercloud.broken_units.add("tripleo_keystone.service")
    run, job = prepare(undercloud)
    run.begin(job.resume.take_up, "22222222")
    with pytest.raises(StepFailed, match=r"tripleo_keystone\.service is failed") as failed:
        procedure(run, job)
    assert "systemctl status" in failed.value.hint
    assert "services" in run.journal.in_force
    undercloud.broken_units.clear()
    again = restore(undercloud)
    is_restored(undercloud)
    assert {record.outcome for record in again.journal.records if record.number in {"2", "5", "10.1"}} == {"earlier"}


def test_what_ran_before_is_what_the_first_attempt_saw() -> None:
    undercloud = killed_at_step("7")
    assert not any(undercloud.containers.values())
    _, job = prepare(undercloud)
    assert (set(job.services.units), job.services.containers) == (set(UNITS), (STRAY,))
    assert "the same 3 units and 1 containers without one run again" in job.summary


def refusal(undercloud: Undercloud) -> str:
    before = undercloud.changes
    with pytest.raises(Refused) as refused:
        prepare(undercloud)
    assert undercloud.changes == before
    return "\n".join(refused.value.reasons)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "does not exist"),
        ("", "is empty"),
        (DUMP_TEXT[:-50], "is cut short"),
        ("\x1f\x8b" + DUMP_TEXT, "does not begin as mysqldump begins one"),
        (DUMP_TEXT.replace("10.3.28", "10.11.6"), "newer than this server's 10.3"),
        (DUMP_TEXT.replace("10.3.28", "10.2.40"), "which this server's 10.3 can't take over"),
        (DUMP_TEXT.replace("`mysql`", "`other`"), "holds no accounts"),
    ],
)
def test_a_dump_that_can_not_be_restored_is_refused_before_anything_stops(text: str | None, says: str) -> None:
    undercloud = Undercloud()
    give_file(undercloud, DUMP, text)
    assert says in refusal(undercloud)


def test_without_the_services_container_or_its_image_nothing_is_stopped() -> None:
    undercloud = Undercloud()
    del undercloud.containers["mysql"]
    give_file(undercloud, DUMP, DUMP_TEXT[:-50])
    told = refusal(undercloud)
    assert "there is no container mysql" in told
    assert "is cut short" in told, "every reason is told at once"
    undercloud = Undercloud()
    undercloud.on("image exists", say=1)
    assert "the image of container mysql (sha256:01234) is not there any more" in refusal(undercloud)


@pytest.mark.parametrize(
    "says",
    [directory(free=1024), directory(mount=True, free=1024) + f"within {2**40}\n", directory(mount=True, used=0)],
)
def test_without_room_nothing_is_stopped(says: str) -> None:
    undercloud = Undercloud()
    undercloud.on("mountpoint -q", say=says)
    assert "free beside" in refusal(undercloud)


def test_what_the_dump_lacks_is_shown_before_approval() -> None:
    undercloud = Undercloud()
    undercloud.on("mysql --defaults", "--batch", say="schema\tironic\t\t0\nend\t\t\t0\n")
    _, job = prepare(undercloud)
    assert "not restored: the dump lacks 1 schema of what undercloud's database has: ironic (empty)" in job.summary


def test_the_plan_is_the_golden_one_and_holds_no_secret() -> None:
    _, job = prepare(Undercloud())
    plan = Plan()
    procedure(plan, job)
    assert_golden(NAME, plan)
    assert not any(form in plan.text() for form in (PASSWORD, PASSWORD.encode().hex()))
