"""A held command stands once it has said so, lives on our signs of life, and ends with us."""

import pytest

from blocks.remote.command import command
from blocks.remote.errors import CommandFailed, ConnectionLost, RunbookError
from blocks.remote.held import Held
from tests.unit.fakes import FakeShell

LOCK = command("flock", "/run/lock/x")


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


def test_says_what_the_command_said_where_it_ends_instead() -> None:
    shell = FakeShell()
    shell.channel.says, shell.channel.code = [b"restore-galera on lab, flow run tidy-owl\n"], 75
    with pytest.raises(CommandFailed, match="tidy-owl") as failed:
        Held(shell, LOCK)
    assert failed.value.exit_code == 75
    assert failed.value.host == "controller-0"


def test_a_host_that_says_nothing_in_time_is_named() -> None:
    shell = FakeShell()
    shell.channel.says = [TimeoutError("timed out")]
    with pytest.raises(RunbookError, match="controller-0"):
        Held(shell, LOCK, within_s=0.1)


def test_a_beat_is_a_sign_of_life() -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    held.beat()
    held.beat()
    assert shell.channel.heard == b"\n\n"


@pytest.mark.parametrize("how", ["ended", "closed"])
def test_a_beat_tells_when_the_lock_is_lost(how: str) -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    setattr(shell.channel, how, True)
    assert not held.alive
    with pytest.raises(ConnectionLost, match=r"controller-0: the lock on this host is lost"):
        held.beat()


def test_release_ends_its_input_and_may_be_called_twice() -> None:
    shell = FakeShell()
    held = Held(shell, LOCK)
    held.release()
    held.release()
    assert shell.channel.ended
    assert shell.channel.closed
