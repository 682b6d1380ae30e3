"""A host's lock is proven to be held, or the run stops: before the host's own end of it can have ended."""

from __future__ import annotations

import pytest

import blocks.remote.held
import tasks.engine.host_lock
from blocks.remote.errors import Busy, CommandFailed, ConnectionLost, LockLost, RunbookError, Stopped, Unreachable
from blocks.remote.guard import AT_WORK, NOT_OURS, TAKEN
from tasks.engine.host_lock import MARGIN_S, SILENCE_S, HostLock
from tests.unit.fakes import FakeChannel, FakeShell


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds since this machine was started; a test sets them."""
    now = [1000.0]
    for module in (blocks.remote.held, tasks.engine.host_lock):
        monkeypatch.setattr(module, "since_boot", lambda: now[0])
    return now


@pytest.fixture
def shell() -> FakeShell:
    shell = FakeShell()
    shell.channel.echoes = True
    return shell


def break_connection(shell: FakeShell) -> None:
    """The lock's channel ends; the next one that is opened stands."""
    shell.channel.closed = True
    shell.channel = FakeChannel()
    shell.channel.echoes = True


def answers_with(shell: FakeShell, code: int, said: str) -> None:
    shell.channel.says, shell.channel.code = [f"{said}\n".encode()], code


def test_a_free_lock_is_taken_and_named_after_its_holder(shell: FakeShell) -> None:
    HostLock(shell, "restore-galera on lab").check()
    assert "restore-galera on lab" in shell.ran[0].words


def test_two_locks_of_one_run_are_told_apart() -> None:
    """An order of the first try of a run, that arrives late, is not the second one's."""
    tokens = set()
    for _ in range(2):
        shell = FakeShell()
        HostLock(shell, "me")
        tokens.add(shell.lock_token)
    assert None not in tokens
    assert len(tokens) == 2


def test_commands_run_under_the_lock_until_it_is_released(shell: FakeShell) -> None:
    lock = HostLock(shell, "me")
    assert shell.lock_token in shell.ran[0].words
    lock.release()
    assert shell.lock_token is None
    assert shell.channel.heard == b"release\n"


def test_a_lock_that_is_held_says_by_whom_and_what_to_do(shell: FakeShell) -> None:
    answers_with(shell, TAKEN, "restore-galera on lab, flow run tidy-owl (42)")
    with pytest.raises(
        Busy, match="controller-0: another runbook is at work: restore-galera on lab, flow run tidy-owl"
    ) as busy:
        HostLock(shell, "me")
    assert "cancel" in busy.value.hint
    assert shell.lock_token is None


def test_a_command_of_a_dead_run_that_is_at_work_is_named(shell: FakeShell) -> None:
    answers_with(
        shell, AT_WORK, "restore-galera on lab, flow run tidy-owl (42): sudo rm -rf x, until 12:00 at the latest"
    )
    with pytest.raises(Busy, match=r"still at work.*tidy-owl \(42\): sudo rm -rf x, until 12:00 at the latest") as busy:
        HostLock(shell, "me")
    assert "wait for its end" in busy.value.hint


def test_a_lock_that_cannot_be_taken_is_no_other_runbook(shell: FakeShell) -> None:
    answers_with(shell, 127, "flock: command not found")
    with pytest.raises(CommandFailed):
        HostLock(shell, "me")


def test_a_lock_that_answers_stays_young(shell: FakeShell, clock: list[float]) -> None:
    lock = HostLock(shell, "me")
    for _ in range(30):
        clock[0] += 10
        assert lock.beat() > 1
    lock.check()
    assert lock.age_s == 0


def test_a_run_stops_before_its_lock_can_have_ended_on_a_host_that_no_longer_answers(
    shell: FakeShell, clock: list[float]
) -> None:
    """A machine that lost power: what is sent to it goes nowhere, and nothing says so."""
    lock = HostLock(shell, "me")
    shell.channel.echoes = False
    while clock[0] - 1000 <= MARGIN_S:
        lock.check()
        clock[0] += 10
        shell.channel.says = [TimeoutError("timed out")]
        assert lock.beat() <= 10
    assert clock[0] - 1000 < SILENCE_S
    with pytest.raises(
        LockLost, match=r"controller-0: the lock on this host was lost.*no sign of life for 70 s"
    ) as lost:
        lock.check()
    assert "no other runbook is at work" in lost.value.hint


def test_a_laptop_that_slept_too_long_does_nothing_when_it_wakes(shell: FakeShell, clock: list[float]) -> None:
    lock = HostLock(shell, "me")
    clock[0] += 100  # and no thread has run
    with pytest.raises(LockLost):
        lock.check()


def test_the_clock_goes_on_while_this_machine_sleeps() -> None:
    import time

    from blocks.remote.clock import since_boot

    assert abs(since_boot() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


def test_a_connection_that_broke_costs_no_run(shell: FakeShell, clock: list[float]) -> None:
    lock = HostLock(shell, "me")
    token = shell.lock_token
    clock[0] += 30
    break_connection(shell)
    lock.check()
    assert lock.age_s == 0
    assert shell.lock_token == token
    first, second = shell.ran
    assert ("anew" in first.words, "again" in second.words, token in second.words) == (True, True, True)


def test_so_does_the_beat_see_it(shell: FakeShell, clock: list[float]) -> None:
    lock = HostLock(shell, "me")
    clock[0] += 30
    break_connection(shell)
    assert lock.beat() == 0
    assert lock.age_s == 0


def test_a_lock_that_somebody_held_meanwhile_is_lost_at_once(shell: FakeShell) -> None:
    lock = HostLock(shell, "me")
    break_connection(shell)
    answers_with(shell, NOT_OURS, "deploy on lab, flow run odd-cat")
    with pytest.raises(LockLost, match=r"somebody else has held it meanwhile.*odd-cat"):
        lock.check()
    break_connection(shell)
    with pytest.raises(LockLost):  # for good
        lock.check()


@pytest.mark.parametrize("code", [TAKEN, AT_WORK, 255])
def test_a_lock_that_can_not_be_taken_again_in_time_is_lost(
    shell: FakeShell, clock: list[float], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = HostLock(shell, "me")
    break_connection(shell)

    def refuse(_: object) -> FakeChannel:
        clock[0] += 25
        shell.channel = FakeChannel()
        answers_with(shell, code, "not yet")
        return shell.channel

    monkeypatch.setattr(shell, "open_channel", refuse)
    monkeypatch.setattr(tasks.engine.host_lock, "_SOON_S", 0.0)
    with pytest.raises(LockLost, match=r"(?s)no sign of life for 75 s.*not yet"):
        lock.check()


@pytest.mark.parametrize("error", [Unreachable("controller-0", "no route"), ConnectionLost("controller-0", "gone")])
def test_a_host_out_of_reach_is_tried_again_until_it_is_too_late(
    shell: FakeShell, clock: list[float], error: RunbookError, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = HostLock(shell, "me")
    break_connection(shell)
    tries: list[float] = []

    def fail(_: object) -> None:
        tries.append(clock[0])
        clock[0] += 9
        raise error

    monkeypatch.setattr(shell, "open_channel", fail)
    monkeypatch.setattr(tasks.engine.host_lock, "_SOON_S", 0.0)
    with pytest.raises(LockLost, match=error.message):
        lock.check()
    assert len(tries) == 7


def test_a_run_that_is_being_stopped_says_so(shell: FakeShell, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = HostLock(shell, "me")
    break_connection(shell)

    def stopped(_: object) -> None:
        raise Stopped("controller-0", "the run was stopped")

    monkeypatch.setattr(shell, "open_channel", stopped)
    with pytest.raises(Stopped):
        lock.check()
