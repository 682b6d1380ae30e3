"""What test-releases makes of what it sees."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, LabError
from tests.lab.releases import RELEASES
from tests.releases import __main__ as releases
from tests.releases.versions import PROGRAMS, read_version

_CASE = '<testcase classname="{where}" name="{name}" time="{seconds}">{what}</testcase>'


def report(path: Path, *cases: tuple[str, str, float, str]) -> Path:
    lines = [_CASE.format(where=where, name=name, seconds=seconds, what=what) for where, name, seconds, what in cases]
    path.write_text(f"<testsuites><testsuite>{''.join(lines)}</testsuite></testsuites>")
    return path


def test_a_run_is_told_by_its_tests_and_its_longest_restore(tmp_path: Path) -> None:
    file = report(
        tmp_path / "a.xml",
        ("tests.lab.test_lab", "one", 99, ""),
        ("tests.restore_galera.test_restore", "two", 30.5, ""),
        ("tests.restore_galera.test_restore", "three", 40.25, "<skipped/>"),
    )
    assert releases.read_report(file, 0) == ("2, 1 left out passed", 40.25)


@pytest.mark.parametrize("kind", ["failure", "error"])
def test_a_test_that_failed_is_named(tmp_path: Path, kind: str) -> None:
    file = report(
        tmp_path / "a.xml", ("tests.lab.test_lab", "one", 1, ""), ("tests.lab.test_lab", "two", 1, f"<{kind}/>")
    )
    assert releases.read_report(file, 1) == ("failed: two", 0.0)


def test_no_test_is_no_success(tmp_path: Path) -> None:
    assert releases.read_report(report(tmp_path / "a.xml"), 0)[0] == "failed: exit code 0"
    assert releases.read_report(tmp_path / "missing.xml", 4)[0] == "no report (exit code 4)"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("podman version 3.0.1\n", "3.0.1"),
        ("systemd 252 (252.39-1~deb12u1)\n+PAM", "252"),
        ("Pacemaker 2.1.5-4.el9\nWritten by", "2.1.5"),
        ("mariadbd  Ver 10.11.14-MariaDB for debian", "10.11.14"),
        ("", "?"),
    ],
)
def test_the_version_is_the_first_number_that_a_program_tells(said: str, version: str) -> None:
    assert read_version(said) == version


def test_the_table_has_a_row_for_each_release_and_every_program() -> None:
    seen = dict.fromkeys(PROGRAMS, "1.2")
    outcomes = [
        releases.Outcome("bullseye", seen, "20 passed", 90.4, 36.2, 300),
        releases.Outcome("trixie", {}, "x", 1, 2, 3),
    ]
    lines = releases.table(outcomes).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")
    assert lines[2].endswith("| 20 passed | 90 | 36 | 300 |")
    assert lines[3].startswith("| trixie | ? |")


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What is done to the lab, and what pytest is called with."""
    done: list[Any] = []

    def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        done.append(("pytest", options["env"]["LAB_RELEASE"]))
        file = next(Path(word.split("=")[1]) for word in words if word.startswith("--junitxml="))
        report(file, ("tests.lab.test_lab", "one", 1, ""))
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(Lab, "up", lambda _, release: done.append(("up", release)))
    monkeypatch.setattr(Lab, "down", lambda _: done.append("down"))
    monkeypatch.setattr(releases, "versions", lambda _: {})
    monkeypatch.setattr(releases, "_BUILD", tmp_path / "build")
    monkeypatch.setattr(subprocess, "run", run)
    return done


def test_each_release_gets_a_lab_of_its_own_and_leaves_none(lab: list[Any], tmp_path: Path) -> None:
    assert releases.main([]) == 0
    assert lab == [step for name in RELEASES for step in ("down", ("up", name), ("pytest", name), "down")]
    assert (tmp_path / "build/releases.md").read_text().count("1 passed") == len(RELEASES)


def test_a_lab_that_does_not_come_up_is_taken_down_and_told(
    lab: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def up(_: Lab, release: str) -> None:
        raise LabError(f"no {release}")

    monkeypatch.setattr(Lab, "up", up)
    assert releases.main(["--only", "trixie", "bookworm"]) == 1
    assert lab == ["down", "down"] * 2
    assert "| trixie | ? | ? | ? | ? | ? | failed: no trixie |" in (tmp_path / "build/releases.md").read_text()
