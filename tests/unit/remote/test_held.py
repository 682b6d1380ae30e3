"""A held command stands once it has said so, lives on our signs of life, proves its own, and ends with us."""

import pytest

import blocks.remote.held
from blocks.remote.command import command
from blocks.remote.errors import CommandFailed, ConnectionLost, RunbookError
from blocks.remote.held import Held
from tests.unit.fakes import FakeShell

LOCK = command("flock", "/run/lock/x")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that a sign of life is dated by; a test sets it."""
    now = [1000.0]
    monkeypatch.setattr(blocks.remote.held, "since_boot", lambda: now[0])
    return now


def test_stands_once_it_says_so() -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    assert held.alive
    assert shell.ran == [LOCK]


@pytest.mark.parametrize("parts", [[b"he", b"ld\n"], [b"a warning\n", b"held\n"]])
def test_stands_also_where_its_word_comes_in_parts_or_late(parts: list[bytes | Exception]) -> None:
    shell = FakeShell()
    shell.channel.says = parts
    assert Held(shell, LOCK).alive


@pytest.mark.parametrize("said", ["restore-galera on lab, flow run tidy-owl", "restore-galera on site held"])
def test_says_what_the_command_said_where_it_ends_instead(said: str) -> None:
    shell = FakeShell()
    shell.channel.says, shell.channel.code = [f"{said}\n".encode()], 75
    with pytest.raises(CommandFailed, match=said) as failed:
        Held(shell, LOCK)
    assert failed.value.exit_code == 75
    assert failed.value.host == "controller-0"


@pytest.mark.parametrize("says", [[TimeoutError("timed out")], [b"a banner\n"] * 1000])
def test_a_host_that_does_not_say_it_in_time_is_named(says: list[bytes | Exception]) -> None:
    shell = FakeShell()
    shell.channel.says, shell.channel.takes_s = says, 0.01
    with pytest.raises(RunbookError, match="controller-0"):
        Held(shell, LOCK, within_s=0.1)
    assert shell.channel.closed


def test_an_answer_is_a_sign_of_life_as_old_as_what_it_answers(clock: list[float]) -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    clock[0] += 20
    shell.channel.says = [b"1", b"\n"]
    assert held.prove(1)
    assert shell.channel.heard == b"1\n"
    assert held.proven_at == 1020


def test_what_could_be_sent_is_no_sign_of_life(clock: list[float]) -> None:
    """Into a connection that has died minutes of lines can be written."""
    shell = FakeShell()
    held = Held(shell, LOCK)
    for _ in range(3):
        clock[0] += 20
        shell.channel.says = [TimeoutError("timed out")]
        assert not held.prove(1)
    assert held.alive
    assert held.proven_at == 1000


def test_a_late_answer_counts_from_when_it_was_asked_for(clock: list[float]) -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    clock[0] = 1010
    shell.channel.says = [TimeoutError("timed out")]
    held.prove(1)
    clock[0] = 1050
    shell.channel.says = [b"1\n", TimeoutError("timed out")]
    assert held.prove(1)
    assert held.proven_at == 1010


@pytest.mark.parametrize("said", [b"held\n", b"7\n", b"nonsense\n"])
def test_what_answers_nothing_is_no_sign_of_life(clock: list[float], said: bytes) -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    clock[0] += 20
    shell.channel.says = [said, TimeoutError("timed out")]
    assert not held.prove(1)


def test_a_lock_that_has_ended_is_lost() -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    shell.channel.says = []
    with pytest.raises(ConnectionLost, match=r"controller-0: the lock on this host is lost: it has ended"):
        held.prove(1)


@pytest.mark.parametrize("how", ["ended", "closed"])
def test_is_not_alive_once_it_has_ended(how: str) -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    setattr(shell.channel, how, True)
    assert not held.alive


def test_release_says_so_ends_its_input_and_may_be_called_twice() -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    held.release()
    held.release()
    assert shell.channel.heard == b"release\n"
    assert shell.channel.ended
    assert shell.channel.closed
