"""What the report says of a run that changes nothing: the plan, and what an earlier attempt left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

import tasks.engine.report
import tasks.engine.runbook
from blocks.remote.errors import RunbookError
from blocks.site import Site
from flows.restore_galera import restore_galera
from tests.unit.fakes import FakeShell
from tests.unit.tasks.control_plane import (
    DUMP,
    DUMP_TEXT,
    GRANTS,
    GRANTS_TEXT,
    PASSWORD,
    control_plane,
    give_file,
    interrupted,
)
from tests.unit.tasks.samples import KEPT, SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine")

RUN_ID = "00000000-0000-0000-0000-000000000001"
BLOCKED = "clients are blocked from 172.16.2.99:3306"
SUBJECT = {
    "dump": f"{DUMP} {len(DUMP_TEXT)} bytes of 1763726400",
    "grants": f"{GRANTS} {len(GRANTS_TEXT)} bytes of 1763726400",
}
LEFT = journal(begun="17", kept={"old data": KEPT}, in_force={"clients": BLOCKED}, state={"contents": SUBJECT})


@pytest.fixture
def shells(monkeypatch: pytest.MonkeyPatch) -> list[FakeShell]:
    _, fakes = control_plane()
    by_name = {shell.name: shell for shell in fakes}

    @contextmanager
    def locked(*_: object) -> Iterator[None]:
        yield None

    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", RUN_ID)
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__NAME", "brave-otter")
    monkeypatch.setattr(tasks.engine.runbook, "locked", locked)
    monkeypatch.setattr(tasks.engine.runbook, "load_site", lambda _: SITE)
    monkeypatch.setattr(Site, "shell", lambda _, host: by_name[host.name])
    return fakes


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []

    def create(text: str, **_: object) -> UUID:
        made.append(text)
        return UUID(RUN_ID)

    monkeypatch.setattr(tasks.engine.report, "create_markdown_artifact", create)
    return made


def dry_run(reports: list[str]) -> str:
    restore_galera.fn(site="lab", dry_run=True)
    (text,) = reports
    return text


def refusal(shells: list[FakeShell], reports: list[str]) -> str:
    give_file(shells[0], DUMP, "")
    assert restore_galera.fn(site="lab").is_failed()
    (text,) = reports
    return text


def test_a_dry_run_shows_the_plan(shells: list[FakeShell], reports: list[str]) -> None:
    text = dry_run(reports)
    plan = text.split("## The plan")[1].split("## Steps")[0]
    assert "Disable the database connections through the virtual IP" in plan
    assert "/var/lib/mysql-save-" in plan
    assert PASSWORD not in text
    assert "no change is in force" in text


def test_a_refusal_has_no_plan(shells: list[FakeShell], reports: list[str]) -> None:
    text = refusal(shells, reports)
    assert "The plan" not in text
    assert "no change is in force" in text


def test_a_dry_run_shows_what_an_earlier_attempt_left(shells: list[FakeShell], reports: list[str]) -> None:
    interrupted(shells, LEFT.model_dump_json() + "\n")
    text = dry_run(reports)
    assert f"- **{BLOCKED}**" in text
    assert KEPT in text
    assert "This run has changed nothing" in text


def test_a_refusal_shows_what_an_earlier_attempt_left_in_force(shells: list[FakeShell], reports: list[str]) -> None:
    interrupted(shells, LEFT.model_dump_json() + "\n")
    text = refusal(shells, reports)
    assert f"- **{BLOCKED}**" in text
    assert "no change is in force" not in text
    assert "This run has changed nothing" in text


def test_a_refusal_shows_what_an_earlier_attempt_kept(shells: list[FakeShell], reports: list[str]) -> None:
    interrupted(shells, LEFT.model_dump_json() + "\n")
    assert KEPT in refusal(shells, reports)


def test_a_run_that_is_not_approved_shows_what_an_earlier_attempt_left(
    shells: list[FakeShell], reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: object) -> str:
        raise RunbookError("not approved: '' is not the name of the site; nothing was changed")

    interrupted(shells, LEFT.model_dump_json() + "\n")
    monkeypatch.setattr(tasks.engine.runbook, "ask_approval", ask)
    state = restore_galera.fn(site="lab")
    assert "not approved" in state.message
    (text,) = reports
    assert f"- **{BLOCKED}**" in text
    assert KEPT in text
    assert "This run has changed nothing" in text
