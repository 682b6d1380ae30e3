"""A run puts each step on record before it is taken, undoes what it must, and says what stands where it fails."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from blocks.remote.command import Command, command
from blocks.remote.errors import CommandFailed, ConnectionLost, Refused, RunbookError
from blocks.remote.units import LongCommand
from tasks.engine.change import Change, Wait
from tasks.engine.journal import Journal
from tasks.engine.results import Results
from tasks.engine.run import Run, TakeUp
from tasks.engine.step import StepFailed
from tasks.engine.steps import Fence
from tests.unit.fakes import FakeShell
from tests.unit.tasks.samples import CLEANUP, HOSTS, KEPT, SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")

ONE = Change((command("one"),))
BLOCKED = Fence("clients", "clients are blocked")
LONG = LongCommand("load", ("three",), 60)
ABSENT = "LoadState=not-found\nActiveState=inactive\n"
ENDED = "LoadState=loaded\nActiveState=active\nSubState=exited\nResult=success\nExecMainStatus=0\n"


@pytest.fixture
def shells() -> list[FakeShell]:
    return [FakeShell(name, otherwise="") for name in HOSTS]


@pytest.fixture
def run(shells: list[FakeShell]) -> Run:
    return Run("restore-galera", SITE, {shell.name: shell for shell in shells}, False, journal())


def written(shell: FakeShell) -> list[Journal]:
    """The journals that were written to a host, in their order."""
    return [Journal.model_validate_json(one.stdin) for one in shell.ran if one.stdin and "current.json" in one.shown]


def test_a_step_is_on_record_before_it_is_taken(run: Run, shells: list[FakeShell]) -> None:
    seen: list[str] = []

    def one(_: Command) -> str:
        seen.extend(entry.begun for entry in written(shells[0]))
        return ""

    shells[0].on("one", say=one)
    run.step("4", "Do it", shells[:1], ONE)
    assert seen == ["4"]
    assert run.journal.settled == ["4"]
    assert [(record.number, record.host, record.outcome) for record in run.journal.records] == [
        ("4", "controller-0", "done")
    ]


def test_hosts_are_looked_at_while_the_record_is_written_and_changed_only_after_it(
    run: Run, shells: list[FakeShell]
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
    run.step("4", "Do it", shells[1:2], Change(ONE.commands, already=look))
    assert order == ["written", "changed"]


def test_where_nothing_can_be_put_on_record_nothing_is_changed(run: Run, shells: list[FakeShell]) -> None:
    shells[0].on("current.json", say=ConnectionLost("controller-0", "gone"))
    with pytest.raises(StepFailed, match="the journal can't be kept: controller-0: gone"):
        run.step("4", "Do it", shells[1:2], ONE)
    assert shells[1].lines("one") == []
    assert len(shells[0].lines("current.json")) == 1


def test_what_is_only_looked_at_goes_on_record_too(run: Run, shells: list[FakeShell]) -> None:
    shells[0].on("current.json", say=ConnectionLost("controller-0", "gone"))
    with pytest.raises(RunbookError, match="the journal can't be kept: controller-0: gone"):
        run.step("20a", "Look at it", shells[1:2], Change(()))


def test_a_step_is_taken_on_every_host(run: Run, shells: list[FakeShell]) -> None:
    run.step("5", "Stop it", shells, lambda host: Change((command("stop", host.name),)))
    assert [shell.lines("stop") for shell in shells] == [[f"sudo stop {name}"] for name in HOSTS]


def test_hosts_that_take_turns_stop_at_the_first_failure(run: Run, shells: list[FakeShell]) -> None:
    shells[1].on("one", say=1)
    with pytest.raises(StepFailed, match=r"step 20 \(Start it\) failed on controller-1: "):
        run.step("20", "Start it", shells, ONE, one_at_a_time=True)
    assert [len(shell.lines("one")) for shell in shells] == [1, 1, 0]
    assert "20" not in run.journal.settled


def test_where_all_go_at_once_the_others_are_waited_for(run: Run, shells: list[FakeShell]) -> None:
    shells[0].on("one", say=1)
    with pytest.raises(StepFailed) as failed:
        run.step("5", "Stop it", shells, ONE)
    assert failed.value.host == "controller-0"
    assert isinstance(failed.value.__cause__, CommandFailed)
    assert [len(shell.lines("one")) for shell in shells] == [1, 1, 1]


def test_what_a_step_puts_in_force_is_on_record_before_it_is(run: Run, shells: list[FakeShell]) -> None:
    shells[0].on("one", say=1)
    with pytest.raises(StepFailed):
        run.step("2", "Block", shells[:1], ONE, raises=BLOCKED)
    assert written(shells[0])[-1].in_force == {"clients": "clients are blocked"}


def test_what_a_step_lifts_stays_in_force_until_it_has_succeeded(run: Run, shells: list[FakeShell]) -> None:
    run.step("2", "Block", shells[:1], ONE, raises=BLOCKED)
    shells[0].on("two", say=1)
    with pytest.raises(StepFailed):
        run.step("22", "Unblock", shells[:1], Change((command("two"),)), lifts=BLOCKED)
    assert run.journal.in_force
    shells[0].on("two", say=0)
    run.step("22", "Unblock", shells[:1], Change((command("two"),)), lifts=BLOCKED)
    assert run.journal.in_force == {}


def test_a_step_of_an_earlier_attempt_is_not_taken_again(run: Run, shells: list[FakeShell]) -> None:
    run.begin(TakeUp(journal(attempts=2), ("1", "2", "3", "4")), "2")
    run.step("4", "Do it", shells[:1], ONE)
    assert shells[0].lines("one") == []
    assert [record.outcome for record in run.journal.records] == ["earlier"]


def test_a_step_whose_effect_can_be_lost_is_looked_at_again_all_the_same(run: Run, shells: list[FakeShell]) -> None:
    run.begin(TakeUp(journal(attempts=2), ("1", "2")), "2")
    run.step("2", "Block", shells[:1], ONE, always=True)
    assert len(shells[0].lines("one")) == 1


def test_going_on_keeps_what_is_in_force_and_where_the_old_data_is(run: Run) -> None:
    run.begin(TakeUp(journal(in_force={"clients": "x"}, kept={"old data": KEPT}, settled=["1", "2"]), ("1",)), "2")
    assert run.journal.in_force == {"clients": "x"}
    assert run.journal.kept == {"old data": KEPT}
    assert run.journal.settled == ["1"]


def test_a_step_without_hosts_is_no_failure(run: Run) -> None:
    run.step("20", "Start the others", [], ONE, one_at_a_time=True)
    assert run.journal.settled == ["20"]


def test_a_long_command_is_forgotten_only_once_its_end_is_on_record(run: Run, shells: list[FakeShell]) -> None:
    shells[0].on("systemctl show", say=[ABSENT, ENDED])
    run.step("15", "Restore", shells[:1], Change((LONG,)))
    assert shells[0].lines("systemctl stop") == []
    run.step("15a", "Reset", shells[:1], ONE)
    orders = [one.shown for one in shells[0].ran]
    (forgotten,) = (number for number, line in enumerate(orders) if "systemctl stop" in line)
    on_record = [number for number, line in enumerate(orders) if "current.json" in line][-1]
    assert written(shells[0])[-1].settled == ["15"]
    assert on_record < forgotten


def test_what_a_change_tells_is_a_finding_once(run: Run, shells: list[FakeShell]) -> None:
    change = Change((), findings_after=lambda _: ["a grant was passed over"])
    run.step("15", "Restore", shells[:1], change)
    run.step("15", "Restore", shells[:1], change)
    assert run.journal.findings == ["controller-0: a grant was passed over"]


def test_a_lost_lock_stops_the_run_before_its_next_step(run: Run, shells: list[FakeShell]) -> None:
    def check() -> None:
        raise RunbookError("the lock was lost")

    run.heartbeat = SimpleNamespace(check=check)  # type: ignore[assignment]
    with pytest.raises(RunbookError, match="the lock was lost"):
        run.step("5", "Stop it", shells, ONE)
    assert all(shell.lines("one") == [] for shell in shells)


@pytest.mark.parametrize("fails", [False, True])
def test_what_must_be_cleaned_up_is_whatever_happens(run: Run, shells: list[FakeShell], fails: bool) -> None:
    def block() -> None:
        with run.cleanup(CLEANUP):
            assert written(shells[0])[-1].cleanups == [CLEANUP]
            assert len(shells[0].lines("systemd-run")) == 1
            assert shells[0].lines("rm -f", "mysql/d.sql")[1:] == []
            if fails:
                raise ValueError("half way")

    if fails:
        with pytest.raises(ValueError, match="half way"):
            block()
    else:
        block()
    assert [one.words for one in shells[0].ran].count(CLEANUP.words["controller-0"]) == 1
    assert run.journal.cleanups == []


def test_a_cleanup_that_failed_is_still_due(run: Run, shells: list[FakeShell]) -> None:
    def fail(asked: Command) -> str | Exception:
        return ConnectionLost("controller-0", "gone") if asked.words == CLEANUP.words["controller-0"] else ""

    shells[0].on("rm -f", say=fail)
    with pytest.raises(RunbookError, match="gone"), run.cleanup(CLEANUP):
        pass
    assert run.journal.cleanups == [CLEANUP]


def test_a_finished_run_closes_its_journal(run: Run, shells: list[FakeShell]) -> None:
    run.journal.in_force["clients"] = "x"
    run.finish()
    assert written(shells[0])[-1].finished
    assert len(shells[0].lines("mv", "20261121T123456Z.json")) == 1
    assert run.journal.in_force == {}


def test_what_is_looked_at_everywhere_is_told_by_host_and_every_failure_is_kept(
    run: Run, shells: list[FakeShell]
) -> None:
    shells[1].on("one", say=1)
    shells[2].on("one", say=Refused("x", ["a", "b"]))
    assert run.everywhere("host", lambda shell: shell.run(command("one")).exit_code) == {"controller-0": 0}
    assert [reason.split(":")[0] for reason in run.reasons] == ["controller-1", "a", "b"]
    with pytest.raises(Refused, match="restore-galera refuses to begin; nothing was changed"):
        run.refuse_if_any()


def test_some_of_the_hosts_are_asked_by_their_role(run: Run, shells: list[FakeShell]) -> None:
    run.site = SITE.model_copy(
        update={"roles": {**SITE.roles, "haproxy": ["controller-2", "controller-1", "undercloud"]}}
    )
    haproxy = run.hosts_with("haproxy")
    assert haproxy == [shells[2], shells[1]]  # the undercloud is none of this run's
    assert run.everywhere("host", lambda shell: shell.name, haproxy) == {
        "controller-2": "controller-2",
        "controller-1": "controller-1",
    }
    assert run.everywhere("host", lambda shell: shell.name, []) == {}


def test_what_nobody_foresaw_is_a_reason_of_each_host(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def look(_: object) -> int:
        raise KeyError("a defect")

    assert run.everywhere("host", look) == {}
    assert len(run.reasons) == len(run.hosts)
    assert all("something that nobody foresaw" in reason for reason in run.reasons)


def test_a_lock_that_is_lost_meanwhile_stops_the_hosts_that_come_after(run: Run, shells: list[FakeShell]) -> None:
    lost: list[bool] = []

    def check() -> None:
        if lost:
            raise RunbookError("the lock was lost")

    def one(_: Command) -> str:
        lost.append(True)
        return ""

    run.heartbeat = SimpleNamespace(check=check)  # type: ignore[assignment]
    shells[0].on("one", say=one)
    with pytest.raises(StepFailed, match="failed on controller-1: the lock was lost"):
        run.step("20", "Start it", shells, ONE, one_at_a_time=True)
    assert [len(shell.lines("one")) for shell in shells] == [1, 0, 0]


def test_what_a_step_returns_later_steps_read_and_the_journal_keeps(run: Run, shells: list[FakeShell]) -> None:
    size = Results("size", int, lambda shell: 40 + int(shell.name[-1]))
    run.step("1", "Make it", shells, ONE, results=size)
    run.step("2", "Note it", shells[2:], lambda host: Change((command("note", size.shown(host.name)),)))
    assert shells[2].lines("note") == ["sudo note 42"]
    assert written(shells[0])[-1].results == {"1": {"controller-0": 40, "controller-1": 41, "controller-2": 42}}


def test_what_a_step_of_an_earlier_attempt_returned_is_known_still(run: Run, shells: list[FakeShell]) -> None:
    size = Results("size", int, lambda _: 0)
    run.begin(TakeUp(journal(results={"1": {"controller-0": 40}}), ("1",)), "2")
    run.step("1", "Make it", shells[:1], ONE, results=size)
    assert size.of("controller-0") == 40
    with pytest.raises(LookupError, match="size of controller-1 is not known"):
        size.of("controller-1")


def test_where_what_is_waited_for_does_not_come_other_steps_are_taken_instead(
    run: Run, shells: list[FakeShell]
) -> None:
    never = Change((), until=Wait("it", "there", lambda _: "away", 1))
    run.fall_back(
        lambda: run.step("25a", "Wait", shells[:1], never),
        lambda: run.step("25b", "Ask", shells[:1], ONE),
        "it did not come by itself",
    )
    assert run.journal.settled == ["25b"]
    (finding,) = run.journal.findings
    assert finding.startswith("it did not come by itself: step 25a (Wait) failed")


def test_a_failure_that_is_no_wait_is_not_fallen_back_from(run: Run, shells: list[FakeShell]) -> None:
    shells[0].on("one", say=1)
    with pytest.raises(StepFailed, match="exit code 1"):
        run.fall_back(
            lambda: run.step("25a", "Do", shells[:1], ONE), lambda: run.step("25b", "Ask", shells[:1], ONE), "x"
        )


def test_a_cleanup_that_fails_after_a_failure_hides_it_not(run: Run, shells: list[FakeShell]) -> None:
    shells[0].on("rm -f", "/var/lib/mysql/d.sql", say=1)

    def half_way() -> None:
        with run.cleanup(CLEANUP):
            shells[0].on("systemd-run", say="")
            raise ValueError("half way")

    shells[0].on("systemd-run", say="")
    with pytest.raises(ValueError, match="half way"):
        half_way()
    assert any("Remove the copies of the dump" in finding for finding in run.journal.findings)
