"""The script that looks at a unit from its own host."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from blocks.remote import units
from blocks.remote.units import parse_unit_state

RUNNING = "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nExecMainStatus=0"
ENDED = RUNNING.replace("running", "exited")
FAILED = "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=3"
STOPPING = RUNNING.replace("=active", "=deactivating").replace("running", "stop-sigterm")


class Host:
    """A folder that stands for the host: its systemctl gives one answer after the other, and then the last one again."""

    def __init__(self, folder: Path, *answers: str, log: str = "") -> None:
        self.folder, self.log = folder, folder / "log"
        self.log.write_text(log)
        for number, answer in enumerate(answers, 1):
            (folder / str(number)).write_text(answer)
        asks = f"echo >> asked; n=$(wc -l < asked); [ -e $n ] || n={len(answers)}; cat $n"
        (folder / "systemctl").write_text(f"#!/bin/bash\ncd {folder}\n{asks}\n")
        (folder / "sleep").write_text("#!/bin/bash\n")
        for name in ("systemctl", "sleep"):
            (folder / name).chmod(0o755)

    def look(self, read: int = 0) -> units.UnitState:
        """Look once."""
        words = ["bash", "-o", "errexit", "-c", units._LOOK, "bash", "x.service", str(self.log), str(read)]
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=20)
        return parse_unit_state(done.stdout)

    @property
    def asked(self) -> int:
        return len((self.folder / "asked").read_text().splitlines())


@pytest.mark.parametrize("end", [ENDED, FAILED, "LoadState=not-found\nActiveState=inactive\nSubState=dead"])
def test_it_waits_until_the_unit_has_ended(tmp_path: Path, end: str) -> None:
    host = Host(tmp_path, RUNNING, STOPPING, end)
    assert not host.look().running
    assert host.asked == 3


def test_it_waits_no_longer_than_twenty_looks(tmp_path: Path) -> None:
    host = Host(tmp_path, RUNNING)
    assert host.look().running
    assert host.asked == 20


def test_what_was_written_meanwhile_is_told_at_once(tmp_path: Path) -> None:
    host = Host(tmp_path, RUNNING, log="ERROR 1064\n")
    assert host.look(read=0).log_size == 11
    assert host.asked == 1
    assert host.look(read=11).log_size == 11
    assert host.asked == 21


def test_a_log_that_is_gone_is_an_empty_one(tmp_path: Path) -> None:
    host = Host(tmp_path, ENDED)
    host.log.unlink()
    assert host.look().log_size == 0
