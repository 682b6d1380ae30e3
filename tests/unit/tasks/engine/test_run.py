"""A run puts each step on record before it is taken, undoes what it must, and says what stands where it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

import tasks.engine.opening
from blocks.remote.command import Command, command
from blocks.remote.errors import Busy, CommandFailed, ConnectionLost, Refused, RunbookError
from blocks.remote.units import LongCommand
from blocks.site import Site
from tasks.engine.change import Change, Force
from tasks.engine.journal import Journal
from tasks.engine.opening import load_site, runbook
from tasks.engine.run import Runbook
from tasks.engine.step import StepFailed
from tests.unit.fakes import FakeShell
from tests.unit.tasks.samples import HOSTS, KEPT, SITE, UNDO, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")

CONTROLLERS = [SITE.host(name) for name in HOSTS]
FIRST = CONTROLLERS[:1]
ONE = Change((command("one"),))
BLOCKED = Force("clients", "clients are blocked")
LONG = LongCommand("load", ("three",), 60)
ABSENT = "LoadState=not-found\nActiveState=inactive\n"
ENDED = "LoadState=loaded\nActiveState=active\nSubState=exited\nResult=success\nExecMainStatus=0\n"


@pytest.fixture
def shells() -> list[FakeShell]:
    return [FakeShell(name, otherwise="") for name in HOSTS]


@pytest.fixture
def book(shells: list[FakeShell]) -> Runbook:
    return Runbook("restore-galera", SITE, CONTROLLERS, False, journal(), {shell.name: shell for shell in shells})


def written(shell: FakeShell) -> list[Journal]:
    """The journals that were written to a host, in their order."""
    return [Journal.model_validate_json(one.stdin) for one in shell.ran if one.stdin and "current.json" in one.shown]


def test_a_step_is_on_record_before_it_is_taken(book: Runbook, shells: list[FakeShell]) -> None:
    seen: list[str] = []

    def one(_: Command) -> str:
        seen.extend(entry.begun for entry in written(shells[0]))
        return ""

    shells[0].on("one", say=one)
    book.step("4", "Do it", FIRST, ONE)
    assert seen == ["4"]
    assert book.journal.settled == ["4"]
    assert [(record.number, record.host, record.outcome) for record in book.journal.records] == [
        ("4", "controller-0", "done")
    ]


def test_hosts_are_looked_at_while_the_record_is_written_and_changed_only_after_it(
    book: Runbook, shells: list[FakeShell]
) -> None:
    looked, order = threading.Event(), []

    def write(_: Command) -> str:
        assert looked.wait(10), "nobody looked meanwhile"
        order.append("written")
        return ""

    def change(_: Command) -> str:
        order.append("changed")
        return ""

    def look(_: object) -> bool:
        looked.set()
        return False

    shells[0].on("current.json", say=write)
    shells[1].on("one", say=change)
    book.step("4", "Do it", CONTROLLERS[1:2], Change(ONE.commands, already=look))
    assert order == ["written", "changed"]


def test_where_nothing_can_be_put_on_record_nothing_is_changed(book: Runbook, shells: list[FakeShell]) -> None:
    shells[0].on("current.json", say=ConnectionLost("controller-0", "gone"))
    with pytest.raises(StepFailed, match="the journal can't be kept: controller-0: gone"):
        book.step("4", "Do it", CONTROLLERS[1:2], ONE)
    assert shells[1].lines("one") == []
    assert len(shells[0].lines("current.json")) == 1


def test_what_is_only_looked_at_goes_on_record_too(book: Runbook, shells: list[FakeShell]) -> None:
    shells[0].on("current.json", say=ConnectionLost("controller-0", "gone"))
    with pytest.raises(RunbookError, match="the journal can't be kept: controller-0: gone"):
        book.step("20a", "Look at it", CONTROLLERS[1:2], Change(()))


def test_a_step_is_taken_on_every_host(book: Runbook, shells: list[FakeShell]) -> None:
    book.step("5", "Stop it", CONTROLLERS, lambda host: Change((command("stop", host.name),)))
    assert [shell.lines("stop") for shell in shells] == [[f"sudo stop {name}"] for name in HOSTS]


def test_hosts_that_take_turns_stop_at_the_first_failure(book: Runbook, shells: list[FakeShell]) -> None:
    shells[1].on("one", say=1)
    with pytest.raises(StepFailed, match=r"step 20 \(Start it\) failed on controller-1: "):
        book.step("20", "Start it", CONTROLLERS, ONE, one_at_a_time=True)
    assert [len(shell.lines("one")) for shell in shells] == [1, 1, 0]
    assert "20" not in book.journal.settled


def test_where_all_go_at_once_the_others_are_waited_for(book: Runbook, shells: list[FakeShell]) -> None:
    shells[0].on("one", say=1)
    with pytest.raises(StepFailed) as failed:
        book.step("5", "Stop it", CONTROLLERS, ONE)
    assert failed.value.host == "controller-0"
    assert isinstance(failed.value.__cause__, CommandFailed)
    assert [len(shell.lines("one")) for shell in shells] == [1, 1, 1]


def test_what_a_step_puts_in_force_is_on_record_before_it_is(book: Runbook, shells: list[FakeShell]) -> None:
    shells[0].on("one", say=1)
    with pytest.raises(StepFailed):
        book.step("2", "Block", FIRST, ONE, begins=BLOCKED)
    assert written(shells[0])[-1].in_force == {"clients": "clients are blocked"}


def test_what_a_step_lifts_stays_in_force_until_it_has_succeeded(book: Runbook, shells: list[FakeShell]) -> None:
    book.step("2", "Block", FIRST, ONE, begins=BLOCKED)
    shells[0].on("two", say=1)
    with pytest.raises(StepFailed):
        book.step("22", "Unblock", FIRST, Change((command("two"),)), ends=BLOCKED)
    assert book.journal.in_force
    shells[0].on("two", say=0)
    book.step("22", "Unblock", FIRST, Change((command("two"),)), ends=BLOCKED)
    assert book.journal.in_force == {}


def test_a_step_of_an_earlier_attempt_is_not_taken_again(book: Runbook, shells: list[FakeShell]) -> None:
    book.go_on(journal(attempts=2), ("1", "2", "3", "4"))
    book.step("4", "Do it", FIRST, ONE)
    assert shells[0].lines("one") == []
    assert [record.outcome for record in book.journal.records] == ["earlier"]


def test_a_step_whose_effect_can_be_lost_is_looked_at_again_all_the_same(
    book: Runbook, shells: list[FakeShell]
) -> None:
    book.go_on(journal(attempts=2), ("1", "2"))
    book.step("2", "Block", FIRST, ONE, always=True)
    assert len(shells[0].lines("one")) == 1


def test_going_on_keeps_what_is_in_force_and_where_the_old_data_is(book: Runbook) -> None:
    book.go_on(journal(in_force={"clients": "x"}, kept={"old data": KEPT}, settled=["1", "2"]), ("1",))
    assert book.journal.in_force == {"clients": "x"}
    assert book.journal.kept == {"old data": KEPT}
    assert book.journal.settled == ["1"]


def test_a_step_without_hosts_is_no_failure(book: Runbook) -> None:
    book.step("20", "Start the others", [], ONE, one_at_a_time=True)
    assert book.journal.settled == ["20"]


def test_a_long_command_is_forgotten_only_once_its_end_is_on_record(book: Runbook, shells: list[FakeShell]) -> None:
    shells[0].on("systemctl show", say=[ABSENT, ENDED])
    book.step("15", "Restore", FIRST, Change((LONG,)))
    assert shells[0].lines("systemctl stop") == []
    book.step("15a", "Reset", FIRST, ONE)
    orders = [one.shown for one in shells[0].ran]
    (forgotten,) = (number for number, line in enumerate(orders) if "systemctl stop" in line)
    on_record = [number for number, line in enumerate(orders) if "current.json" in line][-1]
    assert written(shells[0])[-1].settled == ["15"]
    assert on_record < forgotten


def test_what_a_change_tells_is_a_finding_once(book: Runbook) -> None:
    change = Change((), tells=lambda _: ["a grant was passed over"])
    book.step("15", "Restore", FIRST, change)
    book.step("15", "Restore", FIRST, change)
    assert book.journal.findings == ["controller-0: a grant was passed over"]


def test_a_lost_lock_stops_the_run_before_its_next_step(book: Runbook, shells: list[FakeShell]) -> None:
    def check() -> None:
        raise RunbookError("the lock was lost")

    book.heart = SimpleNamespace(check=check)  # type: ignore[assignment]
    with pytest.raises(RunbookError, match="the lock was lost"):
        book.step("5", "Stop it", CONTROLLERS, ONE)
    assert all(shell.lines("one") == [] for shell in shells)


@pytest.mark.parametrize("fails", [False, True])
def test_what_must_be_undone_is_undone_whatever_happens(book: Runbook, shells: list[FakeShell], fails: bool) -> None:
    def block() -> None:
        with book.undone(UNDO):
            assert written(shells[0])[-1].undos == [UNDO]
            assert len(shells[0].lines("systemd-run")) == 1
            assert shells[0].lines("rm -f", "mysql/d.sql")[1:] == []
            if fails:
                raise ValueError("half way")

    if fails:
        with pytest.raises(ValueError, match="half way"):
            block()
    else:
        block()
    assert [one.words for one in shells[0].ran].count(UNDO.words) == 1
    assert book.journal.undos == []


def test_an_undo_that_failed_is_still_due(book: Runbook, shells: list[FakeShell]) -> None:
    def undo(asked: Command) -> str | Exception:
        return ConnectionLost("controller-0", "gone") if asked.words == UNDO.words else ""

    shells[0].on("rm -f", say=undo)
    with pytest.raises(ConnectionLost), book.undone(UNDO):
        pass
    assert book.journal.undos == [UNDO]


def test_a_finished_run_closes_its_journal(book: Runbook, shells: list[FakeShell]) -> None:
    book.journal.in_force["clients"] = "x"
    book.finish()
    assert written(shells[0])[-1].finished
    assert len(shells[0].lines("mv", "20261121T123456Z.json")) == 1
    assert book.journal.in_force == {}


def test_what_is_looked_at_everywhere_is_told_by_host_and_every_failure_is_kept(
    book: Runbook, shells: list[FakeShell]
) -> None:
    shells[1].on("one", say=1)
    shells[2].on("one", say=Refused("x", ["a", "b"]))
    assert book.everywhere(lambda shell: shell.run(command("one")).exit_code) == {"controller-0": 0}
    assert [reason.split(":")[0] for reason in book.reasons] == ["controller-1", "a", "b"]
    with pytest.raises(Refused, match="restore-galera refuses to begin; nothing was changed"):
        book.refuse_if_any()


def test_a_defect_is_not_taken_for_a_reason(book: Runbook) -> None:
    def look(_: object) -> int:
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        book.everywhere(look)


# -- opening and closing a run


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, shells: list[FakeShell]) -> list[tuple[str, str]]:
    """Runs are opened on the fake hosts; outcome and error of each report are in the list."""
    reports: list[tuple[str, str]] = []
    by_name = {shell.name: shell for shell in shells}

    def publish(entry: Journal, outcome: str, error: str = "", facts: object = (), plan: str = "") -> None:
        reports.append((outcome, error))

    @contextmanager
    def locked(*_: object) -> Iterator[None]:
        yield None

    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", "00000000-0000-0000-0000-000000000001")
    monkeypatch.setattr(tasks.engine.opening, "publish", publish)
    monkeypatch.setattr(tasks.engine.opening, "locked", locked)
    monkeypatch.setattr(tasks.engine.opening, "load_site", lambda _: SITE)
    monkeypatch.setattr(Site, "shell", lambda _, host: by_name[host.name])
    return reports


def role(site: Site) -> str:
    return site.database.role


def run(work: Callable[[Runbook], None]) -> None:
    """Open a run, do some work in it, and close it."""
    with runbook("restore-galera", "lab", role, dry_run=False) as book:
        work(book)


def test_a_run_that_fails_says_what_stands_and_where_the_old_data_is(
    published: list[tuple[str, str]], shells: list[FakeShell]
) -> None:
    shells[0].on("one", say=1)

    def work(book: Runbook) -> None:
        book.go_on(journal(kept={"old data": KEPT}), ())
        book.step("2", "Block", FIRST, ONE, begins=BLOCKED)

    with pytest.raises(RunbookError) as failed:
        run(work)
    ((outcome, error),) = published
    assert outcome == "failed"
    for said in (error, str(failed.value)):
        assert "step 2 (Block) failed on controller-0" in said
        assert "STILL IN FORCE: clients are blocked" in said
        assert f"KEPT: old data: {KEPT}" in said
    assert all(shell.closed for shell in shells)


def test_a_refusal_is_reported_as_one(published: list[tuple[str, str]]) -> None:
    def work(book: Runbook) -> None:
        book.reasons.append("the dump is empty")
        book.refuse_if_any()

    with pytest.raises(Refused):
        run(work)
    ((outcome, error),) = published
    assert outcome == "refused"
    assert "the dump is empty" in error


def test_a_dry_run_takes_no_lock_and_changes_nothing(
    published: list[tuple[str, str]], shells: list[FakeShell], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise AssertionError("a dry run took a lock")

    monkeypatch.setattr(tasks.engine.opening, "locked", locked)
    with runbook("restore-galera", "lab", role, dry_run=True):
        pass
    assert published == [("dry run", "")]
    assert all(shell.ran == [] for shell in shells)


def test_a_finished_run_is_reported_as_completed(published: list[tuple[str, str]]) -> None:
    with runbook("restore-galera", "lab", role, dry_run=False) as book:
        book.finish()
    assert published == [("completed", "")]


def test_a_lock_that_is_taken_is_told_with_the_other_reasons(
    published: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def locked(*_: object) -> Iterator[None]:
        raise Busy("another runbook is at work")
        yield

    def work(book: Runbook) -> None:
        book.reasons.append("the dump is empty")
        book.refuse_if_any()

    monkeypatch.setattr(tasks.engine.opening, "locked", locked)
    with pytest.raises(Refused) as refused:
        run(work)
    assert refused.value.reasons == ("another runbook is at work", "the dump is empty")


def test_an_unknown_site_is_told_with_what_makes_it_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: str) -> Site:
        raise ValueError("Unable to find block document")

    monkeypatch.setattr(Site, "load", load)
    with pytest.raises(RunbookError, match="the Prefect server knows no site 'nowhere'") as unknown:
        load_site("nowhere")
    assert "deployments apply" in unknown.value.hint
