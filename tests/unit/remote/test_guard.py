"""Real bash and flock on this machine: a host is not free until the last command of the run before has ended."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blocks.remote import guard
from blocks.remote.command import Command, command, script
from blocks.remote.guard import AT_WORK, NOT_OURS, TAKEN, guarded, hold, refused


class Process:
    """Something that runs on the host, as sshd runs it: on pipes that end with the connection."""

    def __init__(self, line: str) -> None:
        self._running = subprocess.Popen(
            ["bash", "-c", line.removeprefix("sudo -n ")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def says(self) -> str:
        """The next line of its output."""
        assert self._running.stdout is not None
        return self._running.stdout.readline().decode().strip()

    def ask(self, line: str) -> str:
        assert self._running.stdin is not None
        self._running.stdin.write(f"{line}\n".encode())
        self._running.stdin.flush()
        return self.says()

    def lose_connection(self) -> None:
        """Close its pipes; what runs is not told in any other way."""
        assert self._running.stdin is not None
        self._running.stdin.close()
        self._running.stdin = None

    def ends(self) -> tuple[int, str, str]:
        out, err = self._running.communicate(timeout=20)
        return self._running.returncode, out.decode().strip(), err.decode().strip()

    def stop(self) -> None:
        if self._running.poll() is None:
            os.killpg(self._running.pid, 9)
        self._running.communicate()


Start = Callable[[str], Process]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Start]:
    """Starts lines; the lock lies in a folder of the test's own."""
    monkeypatch.setattr(guard, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(guard, "WORK", str(tmp_path / "work"))
    monkeypatch.setattr(guard, "TOKENS", str(tmp_path / "tokens"))
    begun: list[Process] = []

    def begin(line: str) -> Process:
        begun.append(Process(line))
        return begun[-1]

    yield begin
    for process in begun:
        process.stop()


def taking(run: str = "a", *, again: bool = False, patience_s: float = 0.1, silence_s: float = 60) -> str:
    return hold(f"run {run}", run, again=again, patience_s=patience_s, silence_s=silence_s).line


def take(start: Start, run: str = "a") -> Process:
    lock = start(taking(run))
    assert lock.says() == "held"
    return lock


def slow(marks: Path) -> Command:
    """Begins, and ends only once it is told to: a disk that is full of work."""
    return script(
        f"touch {marks}/begun; until [ -e {marks}/go ]; do sleep 0.05; done; touch {marks}/done", says="slow work"
    )


def begin_slow(start: Start, marks: Path) -> Process:
    working = start(guarded(slow(marks), "a"))
    seen(marks / "begun")
    return working


def seen(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def test_the_lock_answers_each_line_and_ends_by_the_last_word(start: Start) -> None:
    lock = take(start)
    assert [lock.ask("1"), lock.ask("2")] == ["1", "2"]
    assert lock.ask("release") == ""
    assert lock.ends()[0] == 0
    assert Path(guard.LOCK).read_text() == ""


def test_a_lock_that_is_held_names_its_holder_and_not_its_token(start: Start) -> None:
    take(start, "first")
    code, said, _ = start(taking("second")).ends()
    assert (code, said) == (TAKEN, "run first")


def test_a_lock_that_hears_nothing_ends(start: Start) -> None:
    lock = start(taking(silence_s=0.3))
    assert lock.says() == "held"
    assert lock.ends()[0] == 0
    take(start, "b")


def test_a_command_runs_under_its_own_runs_lock_and_returns_what_it_returned(start: Start) -> None:
    take(start)
    assert start(guarded(script('echo "$1"; echo oops >&2; exit 3', "it's"), "a")).ends() == (3, "it's", "oops")


def test_standard_input_reaches_a_guarded_command(start: Start) -> None:
    take(start)
    assert start(guarded(script('read -r line; echo "got $line"'), "a")).ask("a secret") == "got a secret"


@pytest.mark.parametrize("how", ["never taken", "given back", "lost", "another's"])
def test_a_command_that_arrives_without_its_runs_lock_does_nothing(start: Start, tmp_path: Path, how: str) -> None:
    if how != "never taken":
        lock = take(start)
        if how == "given back":
            lock.ask("release")
        else:
            lock.lose_connection()
        lock.ends()
    if how == "another's":
        take(start, "b")
    code, _, error = start(guarded(command("touch", str(tmp_path / "changed")), "a")).ends()
    assert refused(code, error)
    assert not (tmp_path / "changed").exists()


def test_a_commands_own_code_76_is_no_refusal(start: Start) -> None:
    take(start)
    code, _, error = start(guarded(script("exit 76"), "a")).ends()
    assert code == NOT_OURS
    assert not refused(code, error)


def test_the_host_is_taken_while_a_command_of_a_lost_connection_is_at_work(start: Start, tmp_path: Path) -> None:
    lock = take(start)
    working = begin_slow(start, tmp_path)
    lock.lose_connection()
    working.lose_connection()
    lock.ends()
    code, said, _ = start(taking("b")).ends()
    assert code == AT_WORK
    assert said.startswith("run a: slow work, until 20")
    (tmp_path / "go").touch()
    assert working.ends()[0] == 0
    assert (tmp_path / "done").exists()
    take(start, "b")


def test_a_command_that_ended_its_wrapper_by_force_is_still_waited_for(start: Start, tmp_path: Path) -> None:
    """timeout(1), which the guard waits for, ends the command before it ends itself."""
    lock = take(start)
    stubborn = script(f"trap '' TERM; touch {tmp_path}/begun; while :; do sleep 0.1; done", timeout_s=1)
    working = start(guarded(stubborn, "a"))
    seen(tmp_path / "begun")
    lock.lose_connection()
    lock.ends()
    assert start(taking("b")).ends()[0] == AT_WORK
    assert working.ends()[0] != 0
    take(start, "b")


def test_what_a_command_leaves_in_the_background_keeps_nobody_out(start: Start, tmp_path: Path) -> None:
    """As podman leaves a container's monitor."""
    lock = take(start)
    leaving = script(f"setsid sleep 30 >/dev/null 2>&1 </dev/null & echo $! > {tmp_path}/pid")
    assert start(guarded(leaving, "a")).ends()[0] == 0
    lock.ask("release")
    lock.ends()
    take(start, "b")
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_two_commands_of_one_run_work_side_by_side(start: Start, tmp_path: Path) -> None:
    take(start)
    working = begin_slow(start, tmp_path)
    assert start(guarded(command("true"), "a")).ends()[0] == 0
    (tmp_path / "go").touch()
    assert working.ends()[0] == 0


def test_a_lost_lock_is_taken_again_where_nobody_has_held_it_since(start: Start) -> None:
    lock = take(start)
    lock.lose_connection()
    lock.ends()
    assert Path(guard.LOCK).read_text() == "", "it names somebody who is no more"
    assert start(taking("a", again=True)).says() == "held"


def test_a_lock_that_somebody_has_held_since_is_not_taken_again(start: Start) -> None:
    for run in ("a", "b"):
        lock = take(start, run)
        lock.lose_connection()
        lock.ends()
    code, said, _ = start(taking("a", again=True)).ends()
    assert (code, said) == (NOT_OURS, "run b")


def test_taking_it_again_waits_for_the_broken_connections_own_command(start: Start, tmp_path: Path) -> None:
    lock = take(start)
    working = begin_slow(start, tmp_path)
    lock.lose_connection()
    lock.ends()
    again = start(taking("a", again=True, patience_s=20))
    (tmp_path / "go").touch()
    assert again.says() == "held"
    assert (tmp_path / "done").exists()
    assert working.ends()[0] == 0
