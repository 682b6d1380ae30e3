"""Load on a member: started once, found, ended, and over by itself; run here for real, under sh."""

import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed, HostError
from tasks.scaling.load import Load, end_load, look_at_load, parse_load, start_load, why_not_loaded
from tests.unit.fakes import LocalShell


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalShell]:
    """This machine, with a mark that nobody else's load carries."""
    mark = f"OPENSTACK_RUNBOOKS_TEST_{time.monotonic_ns()}"
    for name in ("_START", "_END", "_FIND"):
        text = getattr(__import__("tasks.scaling.load", fromlist=[name]), name)
        monkeypatch.setattr(f"tasks.scaling.load.{name}", text.replace("OPENSTACK_RUNBOOKS_LOAD", mark))
    here = LocalShell()
    yield here
    here.run(end_load())


def load(shell: LocalShell) -> int:
    return parse_load("here", shell.run(look_at_load()).stdout).running


def test_load_is_started_found_and_ended(shell: LocalShell) -> None:
    assert load(shell) == 0
    assert parse_load("here", shell.run(start_load(2, 60)).stdout).running == 2
    assert load(shell) == 2
    assert parse_load("here", shell.run(end_load()).stdout).running == 0
    assert load(shell) == 0


def test_starting_twice_does_not_double_it(shell: LocalShell) -> None:
    shell.run(start_load(1, 60))
    assert parse_load("here", shell.run(start_load(2, 60)).stdout).running == 2
    assert parse_load("here", shell.run(start_load(2, 60)).stdout).running == 2


def test_load_ends_by_itself(shell: LocalShell) -> None:
    shell.run(start_load(1, 2))
    deadline = time.monotonic() + 10
    while load(shell) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert load(shell) == 0


def test_ending_where_nothing_runs_is_no_error(shell: LocalShell) -> None:
    assert parse_load("here", shell.run(end_load()).stdout).running == 0


def test_an_old_busybox_gets_its_seconds_with_t(shell: LocalShell, tmp_path: Path) -> None:
    old = tmp_path / "timeout"
    old.write_text('#!/bin/sh\n[ "$1" = -t ] || exit 1\nshift 2\necho asked >>"$0.log"\nexec "$@"\n')
    old.chmod(0o755)
    assert parse_load("here", LocalShell(tmp_path).run(start_load(1, 60)).stdout).running == 1
    assert old.with_suffix(".log").read_text() == "asked\n" * 2


def test_without_a_timeout_nothing_is_started(shell: LocalShell, tmp_path: Path) -> None:
    broken = tmp_path / "timeout"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(CommandFailed, match="might go on for ever"):
        LocalShell(tmp_path).run(start_load(1, 60))
    assert load(shell) == 0


@pytest.mark.parametrize("command", [start_load(2, 60), end_load(), look_at_load()])
def test_a_user_without_sudo_and_bash_can_run_it(command: object) -> None:
    line = getattr(command, "line", "")
    words = shlex.split(line)
    assert "sudo" not in words
    assert "bash" not in words
    text = words[words.index("-c") + 1]
    assert subprocess.run(["sh", "-n", "-c", text], capture_output=True).returncode == 0


def test_the_answer_is_read() -> None:
    assert parse_load("m", "vcpus 2\nrunning 1\n") == Load(1, 2)
    assert parse_load("m", "Warning: host key\nrunning 0\nvcpus \n") == Load(0, 0)


@pytest.mark.parametrize("text", ["", "running \n", "running many\n", "Please login as 'cirros' user\n"])
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(HostError, match="does not say what load"):
        parse_load("m", text)


def test_a_load_that_died_is_told() -> None:
    assert why_not_loaded(Load(2, 2), 2) == ""
    assert why_not_loaded(Load(1, 2), 2).startswith("1 of 2 loads run")
