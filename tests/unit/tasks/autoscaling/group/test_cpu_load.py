"""Load on a member: started once, found, ended, and over by itself; run here for real, under sh."""

import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import HostError
from tasks.autoscaling.group.cpu_load import LoadReport, parse_report, read_load, start_load, stop_load
from tests.lab.shell import wait_until
from tests.unit.fakes import LocalShell


@pytest.fixture
def mark() -> str:
    """What nobody else's load carries."""
    return f"OPENSTACK_RUNBOOKS_TEST_{time.monotonic_ns()}"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, mark: str) -> Iterator[LocalShell]:
    """This machine, with that mark."""
    for name in ("_START", "_END", "_FIND"):
        text = getattr(__import__("tasks.autoscaling.group.cpu_load", fromlist=[name]), name)
        monkeypatch.setattr(f"tasks.autoscaling.group.cpu_load.{name}", text.replace("OPENSTACK_RUNBOOKS_LOAD", mark))
    here = LocalShell()
    yield here
    here.run(stop_load())


def load(shell: LocalShell) -> int:
    return parse_report("here", shell.run(read_load()).stdout).running


def test_load_is_started_found_and_ended(shell: LocalShell) -> None:
    assert load(shell) == 0
    assert parse_report("here", shell.run(start_load(2, 60)).stdout).running == 2
    assert load(shell) == 2
    assert parse_report("here", shell.run(stop_load()).stdout).running == 0
    assert load(shell) == 0


def test_starting_twice_does_not_double_it(shell: LocalShell) -> None:
    shell.run(start_load(1, 60))
    assert parse_report("here", shell.run(start_load(2, 60)).stdout).running == 2
    assert parse_report("here", shell.run(start_load(2, 60)).stdout).running == 2


def test_load_ends_by_itself(shell: LocalShell) -> None:
    shell.run(start_load(1, 2))
    deadline = time.monotonic() + 10
    while load(shell) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert load(shell) == 0


def test_ending_where_nothing_runs_is_no_error(shell: LocalShell) -> None:
    assert parse_report("here", shell.run(stop_load()).stdout).running == 0


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a member with the little that a Cirros has, of what is used here: no `timeout` above all."""
    for name in ("sh", "env", "dd", "sleep", "cat", "tr", "grep"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    return {"PATH": str(tmp_path)}


def test_a_member_without_a_timeout_is_loaded_and_its_load_ends_by_itself(
    shell: LocalShell, bare: dict[str, str]
) -> None:
    def there(command: Command) -> int:
        done = subprocess.run(["/bin/sh", "-c", command.line], env=bare, capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        return parse_report("there", done.stdout).running

    assert there(start_load(2, 60)) == 2
    assert there(read_load()) == 2
    assert there(stop_load()) == 0
    there(start_load(1, 1))
    wait_until("it did not end", lambda: "it runs" if there(read_load()) else "", 30)


def test_nothing_is_left_of_a_load_that_was_ended(shell: LocalShell, mark: str) -> None:
    shell.run(start_load(2, 61))
    assert "sleep" in marked(mark)
    shell.run(stop_load())
    assert marked(mark) == []


def marked(mark: str) -> list[str]:
    """The names of the processes that carry the mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (path / "environ").read_bytes():
                found.append((path / "comm").read_text().strip())
    return found


@pytest.mark.parametrize("command", [start_load(2, 60), stop_load(), read_load()])
def test_a_user_without_sudo_and_bash_can_run_it(command: object) -> None:
    line = getattr(command, "line", "")
    words = shlex.split(line)
    assert "sudo" not in words
    assert "bash" not in words
    text = words[words.index("-c") + 1]
    assert subprocess.run(["sh", "-n", "-c", text], capture_output=True).returncode == 0


def test_the_answer_is_read() -> None:
    assert parse_report("m", "vcpus 2\nrunning 1\n") == LoadReport(1, 2)
    assert parse_report("m", "Warning: host key\nrunning 0\nvcpus \n") == LoadReport(0, 0)


@pytest.mark.parametrize("text", ["", "running \n", "running many\n", "Please login as 'cirros' user\n"])
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(HostError, match="does not say what load"):
        parse_report("m", text)
