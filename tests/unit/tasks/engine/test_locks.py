"""A host's lock tells who holds it, and is told apart from a lock that can't be taken at all."""

import pytest

from blocks.remote.errors import Busy, CommandFailed
from tasks.engine.locks import lock_host
from tests.unit.fakes import FakeShell


def test_a_free_lock_is_taken() -> None:
    shell = FakeShell()
    assert lock_host(shell, "restore-galera on lab").alive
    assert "restore-galera on lab" in shell.ran[0].words


def test_a_lock_that_is_held_says_by_whom_and_what_to_do() -> None:
    shell = FakeShell()
    shell.channel.says, shell.channel.code = [b"restore-galera on lab, flow run tidy-owl (42)\n"], 75
    with pytest.raises(
        Busy, match="controller-0: another runbook is at work: restore-galera on lab, flow run tidy-owl"
    ) as busy:
        lock_host(shell, "me")
    assert "cancel" in busy.value.hint


def test_a_lock_that_cannot_be_taken_is_no_other_runbook() -> None:
    shell = FakeShell()
    shell.channel.says, shell.channel.code = [b"flock: command not found\n"], 127
    with pytest.raises(CommandFailed):
        lock_host(shell, "me")
