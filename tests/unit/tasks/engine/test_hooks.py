"""When a run is cancelled or has crashed, a fresh process undoes what it must and reports what stands."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State

import tasks.engine.hooks
from blocks.remote.command import Command
from blocks.remote.errors import Busy, ConnectionLost, Unreachable
from blocks.site import Site
from tasks.engine.hooks import Hooks
from tasks.engine.journal import Journal
from tasks.engine.report import render
from tests.unit.fakes import FakeClock, FakeShell, Reply
from tests.unit.tasks.samples import CLEANUP, DOCUMENT, HOSTS, KEPT, SITE, journal

HOOKS = Hooks(lambda site, _: [site.database.role])
RUN = "11111111"
FLOW = cast("Flow[Any, Any]", SimpleNamespace(name="restore-galera"))
STATE = cast("State[Any]", SimpleNamespace(message="cancelled by ada"))
HALFWAY = journal(begun="15", in_force={"clients": "clients are blocked"}, cleanups=[CLEANUP], kept={"old data": KEPT})


class Report:
    """What was reported."""

    def __init__(self) -> None:
        self.journal = journal()
        self.outcome = self.error = ""
        self.facts: list[str] = []


def _lock(shell: FakeShell, holder: str) -> SimpleNamespace:
    """Take the host's lock, where the host answers."""
    shell.run(Command(("lock",), quiet=True))
    return SimpleNamespace(release=lambda: None)


@pytest.fixture
def shells(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeShell]:
    by_name = {name: FakeShell(name, otherwise="") for name in SITE.hosts}
    by_name["controller-0"].on("*.json", say=HALFWAY.model_dump_json() + "\n")
    monkeypatch.setattr(tasks.engine.hooks, "load_site", lambda _: SITE)
    monkeypatch.setattr(tasks.engine.hooks, "lock_host", _lock)
    monkeypatch.setattr(Site, "shell", lambda _, host: by_name[host.name])
    return by_name


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, shells: dict[str, FakeShell]) -> Report:
    seen = Report()

    def publish(entry: Journal, outcome: str, error: str = "", facts: Any = (), plan: str = "") -> None:
        seen.journal, seen.outcome, seen.error, seen.facts = entry, outcome, error, list(facts)

    monkeypatch.setattr(tasks.engine.hooks, "publish", publish)
    return seen


def run(run_id: str = RUN) -> FlowRun:
    return cast("FlowRun", SimpleNamespace(id=run_id, parameters={"site": "lab"}))


@pytest.mark.parametrize("hook", [HOOKS.cancelled, HOOKS.crashed])
def test_what_must_be_undone_is_undone_and_put_on_record(
    hook: Any, shells: dict[str, FakeShell], report: Report
) -> None:
    hook(FLOW, run(), STATE)
    first = shells["controller-0"]
    assert [one.words for one in first.ran].count(CLEANUP.words["controller-0"]) == 1
    last = Journal.model_validate_json([one.stdin for one in first.ran if one.stdin][-1] or "")
    assert (last.cleanups, last.begun, last.in_force) == ([], "15", HALFWAY.in_force)


@pytest.mark.parametrize(("hook", "outcome"), [(HOOKS.cancelled, "cancelled"), (HOOKS.crashed, "crashed")])
def test_the_report_says_what_stands_and_where_the_old_data_is(
    hook: Any, outcome: str, shells: dict[str, FakeShell], report: Report
) -> None:
    hook(FLOW, run(), STATE)
    assert (report.outcome, report.error) == (outcome, "cancelled by ada")
    assert report.journal.in_force == {"clients": "clients are blocked"}
    assert report.facts == [f"old data: {KEPT}"]
    assert all(shells[name].closed for name in HOSTS)


def test_clients_stay_blocked_and_pacemaker_stays_off(shells: dict[str, FakeShell], report: Report) -> None:
    HOOKS.cancelled(FLOW, run(), STATE)
    assert all(shell.lines("iptables") == shell.lines("pcs") == [] for shell in shells.values())


def test_a_cancelled_run_ends_its_long_commands_on_every_controller(
    shells: dict[str, FakeShell], report: Report
) -> None:
    HOOKS.cancelled(FLOW, run(), STATE)
    stopped = {
        name for name, shell in shells.items() if shell.lines("systemctl stop", "openstack-runbooks-restore-galera")
    }
    assert stopped == {"controller-0", "controller-1", "controller-2"}


def test_the_long_commands_of_a_crashed_run_go_on(shells: dict[str, FakeShell], report: Report) -> None:
    HOOKS.crashed(FLOW, run(), STATE)
    assert all(shell.lines("openstack-runbooks-restore-galera-*") == [] for shell in shells.values())


@pytest.mark.parametrize("hook", [HOOKS.cancelled, HOOKS.crashed])
def test_the_work_of_another_run_is_left_alone(hook: Any, shells: dict[str, FakeShell], report: Report) -> None:
    hook(FLOW, run("22222222"), STATE)
    assert report.journal.run_id == "22222222"
    assert all(shell.lines("systemctl") == shell.lines("rm ") == [] for shell in shells.values())
    assert [one for one in shells["controller-0"].ran if one.stdin] == []


def _unless_undo(command: Command) -> Reply:
    return ConnectionLost("controller-0", "gone") if command.words == CLEANUP.words["controller-0"] else ""


@pytest.mark.parametrize(
    ("host", "words", "say"),
    [
        ("controller-0", ("rm -f",), _unless_undo),
        ("controller-2", ("systemctl stop",), Unreachable("controller-2", "no SSH session")),
    ],
    ids=["the undo fails", "a host is down"],
)
def test_what_stands_is_reported_also_where_not_everything_could_be_undone(
    host: str, words: tuple[str, ...], say: Reply, shells: dict[str, FakeShell], report: Report
) -> None:
    shells[host].on(*words, say=say)
    HOOKS.cancelled(FLOW, run(), STATE)
    assert report.journal.in_force == {"clients": "clients are blocked"}
    assert report.journal.begun == "15"


def test_a_host_that_does_not_answer_is_reported(shells: dict[str, FakeShell], report: Report) -> None:
    shells["controller-0"].on("", say=Unreachable("controller-0", "no SSH session"))
    HOOKS.crashed(FLOW, run(), STATE)
    assert report.outcome == "crashed"
    assert "controller-0: no SSH session" in report.error
    assert all(shells[name].closed for name in HOSTS)


def test_a_report_without_a_journal_does_not_say_that_nothing_stands(
    shells: dict[str, FakeShell], report: Report
) -> None:
    shells["controller-0"].on("", say=Unreachable("controller-0", "no SSH session"))
    HOOKS.crashed(FLOW, run(), STATE)
    text = render(report.journal, DOCUMENT, report.outcome, report.error, report.facts)
    assert "This run has changed nothing" not in text
    assert "no change is in force" not in text


def test_a_host_that_is_down_keeps_no_other_from_being_wound_up(shells: dict[str, FakeShell], report: Report) -> None:
    shells["controller-1"].on("", say=Unreachable("controller-1", "no SSH session"))
    HOOKS.cancelled(FLOW, run(), STATE)
    assert shells["controller-2"].lines("systemctl stop", "openstack-runbooks-restore-galera")
    assert report.journal.cleanups == []
    assert "controller-1: no SSH session" in report.error


@pytest.mark.parametrize("hook", [HOOKS.cancelled, HOOKS.crashed])
def test_where_another_run_is_at_work_nothing_is_touched(
    hook: Any, shells: dict[str, FakeShell], report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock(shell: FakeShell, holder: str) -> SimpleNamespace:
        raise Busy(f"{shell.name}: another runbook is at work: restore-galera on lab, flow run x (33333333)")

    monkeypatch.setattr(tasks.engine.hooks, "lock_host", lock)
    hook(FLOW, run(), STATE)
    assert [one for shell in shells.values() for one in shell.ran if one.stdin or "systemctl" in one.shown] == []
    assert "another runbook is at work" in report.error
    assert report.journal.cleanups == [CLEANUP]


def test_the_lock_of_the_run_that_has_ended_is_waited_for(
    shells: dict[str, FakeShell], report: Report, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    left = dict.fromkeys(HOSTS, 3)

    def lock(shell: FakeShell, holder: str) -> SimpleNamespace:
        left[shell.name] -= 1
        if left[shell.name] > 0:
            raise Busy(f"{shell.name}: another runbook is at work: restore-galera on lab, flow run x ({RUN})")
        return SimpleNamespace(release=lambda: None)

    monkeypatch.setattr(tasks.engine.hooks, "lock_host", lock)
    HOOKS.cancelled(FLOW, run(), STATE)
    assert report.journal.cleanups == []
