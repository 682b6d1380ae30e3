"""The report says what was done, what stands, where the old data is and what to do next, and no secret."""

import re
from pathlib import Path

import pytest

from blocks.remote import secrets
from deployments.project import PROJECT
from tasks.engine.checks import Check
from tasks.engine.departures import Departure, departures_of
from tasks.engine.journal import Journal, Record
from tasks.engine.report import render
from tests.unit.flows.jobs import ORDER
from tests.unit.tasks.samples import CLEANUP, DOCUMENT, KEPT, journal

CLIENTS = "clients are blocked from 172.16.2.99:3306"
OUTCOMES = ["completed", "failed", "cancelled", "crashed", "refused", "dry run"]


def halfway() -> Journal:
    records = [
        Record(
            number="1", sentence="Retrieve the address", host="controller-0", outcome="answered", note="172.16.2.99"
        ),
        Record(number="5", sentence="Stop the containers", host="controller-1", outcome="done", seconds=1.25),
    ]
    return journal(begun="15", in_force={"clients": CLIENTS}, records=records, attempts=2, kept={"old data": KEPT})


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_report_says_what_of_which_site_and_how_it_ended(outcome: str) -> None:
    text = render(halfway(), DOCUMENT, outcome)
    assert text.startswith(f"# restore-galera on lab: {outcome}\n")
    assert "2026-11-21 12:34:56 UTC, attempt 2, run `11111111`" in text
    assert "Backing up and restoring, section 4.4" in text


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_report_has_the_steps_and_the_departures(outcome: str) -> None:
    text = render(halfway(), DOCUMENT, outcome)
    assert "| 1 | Retrieve the address | controller-0 | answered: 172.16.2.99 | 0.0 |" in text
    assert re.search(r"\| 5 \| Stop the containers \| controller-1 \| done \| 1\.\d \|", text)
    assert "| 15 | dump \\| tee | pipefail | tee returns 0 |" in text


def test_a_cell_of_two_lines_stays_in_its_row() -> None:
    assert "| 6 | mv a b | a dated name | mv moves into b the second time |" in render(halfway(), DOCUMENT, "completed")


@pytest.mark.parametrize("outcome", ["failed", "cancelled", "crashed"])
def test_a_run_that_ended_half_way_says_what_is_in_force_and_what_to_do_next(outcome: str) -> None:
    text = render(halfway(), DOCUMENT, outcome, "controller-1: it broke\nHINT: mend it", [f"old data: {KEPT}"])
    assert f"- **{CLIENTS}**" in text
    assert "## What went wrong at step 15" in text
    assert "controller-1: it broke\nHINT: mend it" in text
    assert KEPT in text
    assert "start `restore-galera` again" in text
    assert "step 15" in text.split("## What to do next")[1]


def test_a_cleanup_that_is_still_due_is_told() -> None:
    text = render(journal(begun="15", cleanups=[CLEANUP]), DOCUMENT, "crashed")
    assert "- still due on controller-0: Remove the copies of the dump" in text


@pytest.mark.parametrize("outcome", ["refused", "dry run"])
def test_a_run_that_changed_nothing_says_so(outcome: str) -> None:
    text = render(journal(), DOCUMENT, outcome, "the dump is empty")
    assert "no change is in force" in text
    assert "This run has changed nothing" in text


@pytest.mark.parametrize("outcome", ["refused", "dry run"])
def test_a_run_that_changed_nothing_says_what_an_earlier_attempt_left_in_force(outcome: str) -> None:
    text = render(journal(in_force={"clients": CLIENTS}), DOCUMENT, outcome)
    assert f"- **{CLIENTS}**" in text
    assert "no change is in force" not in text
    assert "This run has changed nothing" in text


def test_the_plan_of_a_dry_run_is_told_as_it_is() -> None:
    text = render(journal(), DOCUMENT, "dry run", plan="1. Retrieve\n   sudo hiera\n")
    assert "## The plan\n\n```\n1. Retrieve\n   sudo hiera\n```\n\n## Steps" in text


def test_without_a_plan_there_is_no_heading_for_one() -> None:
    assert "The plan" not in render(journal(), DOCUMENT, "refused")


def test_a_completed_run_has_nothing_in_force_and_nothing_to_be_done() -> None:
    text = render(journal(begun="V4"), DOCUMENT, "completed", facts=[f"the old data is kept as {KEPT}"])
    assert f"- the old data is kept as {KEPT}" in text
    assert "Still in force" not in text
    assert "What to do next" not in text


def test_findings_are_told() -> None:
    assert "- the restart was taken instead" in render(
        journal(findings=["the restart was taken instead"]), DOCUMENT, "completed"
    )


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_secret_is_in_a_report_wherever_it_comes_from(outcome: str) -> None:
    secret = secrets.register("Tr0ub4dor&3")
    leaking = journal(
        begun="12",
        in_force={"x": secret},
        findings=[secret],
        records=[Record(number="1", sentence=secret, host=secret, outcome="done", note=secret)],
    )
    document = DOCUMENT.model_copy(
        update={"departures": (Departure(step="1", documented=secret, instead="x", why="y"),)}
    )
    assert secret not in render(leaking, document, outcome, f"denied: {secret}", [secret], f"1. {secret}")


def test_the_departures_of_restore_galera_can_be_read() -> None:
    document = departures_of("restore-galera")
    assert "4.4" in document.section
    assert document.departures


def test_every_departure_names_a_step_that_is_taken_or_that_comes_after_the_last() -> None:
    for departure in departures_of("restore-galera").departures:
        numbers = re.findall(r"\d+[a-z]?(?:\.\d+)?|V\d", departure.step)
        assert all(number in ORDER for number in numbers), departure.step


def test_hosts_of_one_step_share_a_row_with_the_slowest_hosts_seconds() -> None:
    hosts = ["controller-0", "controller-1", "controller-2"]
    records = [
        Record(number="6", sentence="Move it", host=host, outcome="done", seconds=seconds)
        for host, seconds in zip(hosts, (0.5, 2.25, 0.25), strict=True)
    ]
    other = Record(number="7", sentence="Make it", host="controller-0", outcome="already", seconds=0.1)
    rows = [
        line
        for line in render(journal(records=[*records, other]), DOCUMENT, "completed").splitlines()
        if "controller-" in line
    ]
    assert rows == [
        "| 6 | Move it | controller-0, controller-1, controller-2 | done | 2.2 |",
        "| 7 | Make it | controller-0 | already | 0.1 |",
    ]


def test_hosts_that_ended_differently_have_rows_of_their_own() -> None:
    records = [
        Record(number="6", sentence="Move it", host=host, outcome=outcome)
        for host, outcome in (("controller-0", "done"), ("controller-1", "already"))
    ]
    text = render(Journal.model_validate(journal(records=records).model_dump()), DOCUMENT, "completed")
    assert "| 6 | Move it | controller-0 | done | 0.0 |" in text
    assert "| 6 | Move it | controller-1 | already | 0.0 |" in text


def test_what_was_looked_at_is_a_table_in_which_hosts_that_are_alike_share_a_row() -> None:
    checks = [
        Check("version of podman", "controller-0", "4.9"),
        Check("dump", "controller-0", "", "it | is\nempty", "take another"),
        Check("version of podman", "controller-1", "4.9"),
        Check("Pacemaker", "", "3 of 3 nodes online"),
    ]
    _, table = render(journal(), DOCUMENT, "refused", checks=checks).split("## What was looked at\n\n")
    assert table.splitlines()[2:6] == [
        "| version of podman | controller-0, controller-1 | 4.9 |",
        "| dump | controller-0 | **it \\| is; take another empty** |",
        "| Pacemaker |  | 3 of 3 nodes online |",
        "",
    ]
    assert "What was looked at" not in render(journal(), DOCUMENT, "completed")


@pytest.mark.parametrize("flow", sorted((PROJECT / "flows").glob("[a-z]*.py")), ids=lambda flow: flow.stem)
def test_every_runbook_says_what_it_departs_from(flow: Path) -> None:
    assert departures_of(flow.stem.replace("_", "-")).title
