"""Targets that are made at the same time: none ends because of another, and whoever is interrupted takes down what it made."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import side_by_side
from tests.lab.shell import wait_until

MAKEFILE = """\
SHELL := /bin/bash
.PHONY: quick slow broken endless
quick: ; @echo one; echo two >&2
slow: ; @until [ -e build/broken.log ]; do sleep 0.05; done; sleep 0.2; echo done
broken: ; @exit 3
endless: ; @exec python3 endless.py
"""
ENDLESS = """\
import signal, time
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: exit(Path("taken-down").touch()))
Path("up").touch()
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setattr(side_by_side, "PROJECT", tmp_path)
    monkeypatch.setattr(side_by_side, "install_packages", lambda progress: None)
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "endless.py").write_text(ENDLESS)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # Whoever runs the tests in the background, without job control, has told them to ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield tmp_path
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_each_line_bears_its_targets_name_and_each_target_has_a_log(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert side_by_side.main(["quick", "broken"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert {"quick  | one", "quick  | two"} <= set(told)
    assert (project / "build/quick.log").read_text() == "one\ntwo\n"
    assert "two" not in (project / "build/broken.log").read_text()


def test_a_target_that_fails_ends_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert side_by_side.main(["slow", "broken"]) == 1
    told = capsys.readouterr().out
    assert "slow   | done" in told
    assert "slow: passed after" in told
    assert "broken: failed (2) after" in told


def test_all_that_pass_are_a_success() -> None:
    assert side_by_side.main(["quick"]) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_is_interrupted_takes_down_what_it_made(project: Path, number: signal.Signals) -> None:
    def interrupt() -> None:
        wait_until("nothing was made", lambda: "" if (project / "up").exists() else "up", timeout=20, interval=0.05)
        os.kill(os.getpid(), number)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    assert side_by_side.main(["endless", "quick"]) == 130
    interrupting.join()
    assert (project / "taken-down").exists()
