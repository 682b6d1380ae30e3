"""The script that looks at a unit from its own host."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.remote import units
from blocks.remote.units import parse_unit_state

RUNNING = "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nExecMainStatus=0"
ENDED = RUNNING.replace("running", "exited")
FAILED = "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=3"


class Host:
    """A folder that stands for the host: a unit with a process, and what systemd says of it once that has ended."""

    def __init__(self, folder: Path, runs: str = "sleep 30", log: str = "") -> None:
        self.folder, self.log = folder, folder / "log"
        self.log.write_text(log)
        self.process = subprocess.Popen(["bash", "-c", runs], cwd=folder)
        self.say(RUNNING)
        asks = (
            f"cd {folder}; echo >> asked; case $* in *MainPID*) echo MainPID={self.process.pid} ;; *) cat state ;; esac"
        )
        self._program("systemctl", asks)
        self._program("sleep", f"cd {folder}; echo >> slept; [ ! -e then ] || . ./then; exec /bin/sleep 0.01")

    def _program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (self.folder / name).chmod(0o755)

    def say(self, state: str) -> None:
        """What systemd says from now on."""
        (self.folder / "state").write_text(state)

    def meanwhile(self, text: str) -> None:
        """What happens while the script sleeps."""
        (self.folder / "then").write_text(text)

    def end(self) -> None:
        """End the process, and take it away."""
        self.process.kill()
        self.process.wait()

    def look(self, read: int = 0) -> units.UnitState:
        """Look once."""
        words = [
            "bash",
            "-o",
            "errexit",
            "-o",
            "pipefail",
            "-c",
            units._LOOK,
            "bash",
            "x.service",
            str(self.log),
            str(read),
        ]
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=20)
        return parse_unit_state(done.stdout)

    def times(self, what: str) -> int:
        """How often it was asked, or slept."""
        file = self.folder / what
        return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.end()


@pytest.mark.parametrize("end", [ENDED, FAILED, "LoadState=not-found\nActiveState=inactive\nSubState=dead"])
def test_a_process_that_has_ended_is_told_at_once(host: Host, end: str) -> None:
    host.end()
    host.say(end)
    assert not host.look().running
    assert host.times("slept") == 0


def test_it_waits_no_longer_than_five_seconds_and_leaves_systemd_alone_meanwhile(host: Host) -> None:
    assert host.look().running
    assert host.times("slept") == 25
    assert host.times("asked") == 2


def test_what_was_written_meanwhile_is_told(host: Host) -> None:
    host.meanwhile("[ $(wc -l < slept) -lt 3 ] || echo ERROR 1064 > log")
    assert host.look().log_size == 11
    assert host.times("slept") == 3
    assert host.look(read=11).log_size == 11
    assert host.times("slept") == 28


def test_an_unit_that_is_not_there_is_not_waited_for(host: Host) -> None:
    host._program("systemctl", "case $* in *MainPID*) echo MainPID=0 ;; *) echo LoadState=not-found ;; esac")
    assert not host.look().loaded
    assert host.times("slept") == 0


def test_a_log_that_is_gone_is_an_empty_one(host: Host) -> None:
    host.end()
    host.say(ENDED)
    host.log.unlink()
    assert host.look().log_size == 0
