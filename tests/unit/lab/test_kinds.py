"""What is asked of a lab, and whether the one that is up is that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, LabError
from tests.lab.__main__ import main
from tests.lab.kinds import Kind, Wanted
from tests.lab.paths import Paths
from tests.lab.releases import RELEASES


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_RELEASE", raising=False)
    monkeypatch.delenv("LAB_FLOOR", raising=False)


def test_nobody_asks_and_a_new_lab_is_bookworm_without_a_floor() -> None:
    assert Wanted.asked().of_new() == Kind("bookworm", "none", 20)


def test_what_is_asked_for_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_RELEASE", "trixie")
    monkeypatch.setenv("LAB_FLOOR", "rhel-8.2")
    assert Wanted.asked().of_new() == Kind("trixie", "rhel-8.2", 20)
    assert Wanted.asked("bullseye", "none", 5).of_new() == Kind("bullseye", "none", 5)


def test_an_empty_variable_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_RELEASE", "")
    monkeypatch.setenv("LAB_FLOOR", "")
    assert Wanted.asked() == Wanted()


@pytest.mark.parametrize(
    ("variable", "message"),
    [("LAB_RELEASE", "no release 'buster'.*bullseye, bookworm, trixie"), ("LAB_FLOOR", "no floor 'buster'.*rhel-8.2")],
)
def test_an_unknown_name_is_refused_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, variable: str, message: str
) -> None:
    monkeypatch.setenv(variable, "buster")
    with pytest.raises(LabError, match=message):
        Wanted.asked()


@pytest.mark.parametrize(
    ("wanted", "other"),
    [
        (Wanted(), ""),
        (Wanted("trixie", "rhel-8.2", 20), ""),
        (Wanted(size_mb=3), "it has 20 MB of databases, not 3"),
        (Wanted(release="bookworm"), "its hosts are trixie, not bookworm"),
        (Wanted(floor="none"), "its floor is rhel-8.2, not none"),
    ],
)
def test_a_lab_is_kept_unless_another_kind_is_asked_for(wanted: Wanted, other: str) -> None:
    assert wanted.differs_from(Kind("trixie", "rhel-8.2", 20)) == other


def test_a_lab_that_was_made_before_there_were_releases_is_bookworm(tmp_path: Path) -> None:
    lab = Lab(Paths(tmp_path))
    lab.paths.run.mkdir()
    lab.paths.state.write_text(json.dumps({"base": "/b", "rootfs": "/r", "size_mb": 7}))
    assert lab.kind() == Kind("bookworm", "none", 7)
    assert lab.base().lower == "/b/layer:/r"


def test_a_lab_with_a_floor_has_it_above_its_other_layers(tmp_path: Path) -> None:
    lab = Lab(Paths(tmp_path))
    lab.paths.run.mkdir()
    lab.paths.state.write_text(json.dumps({"base": "/b", "rootfs": "/r", "size_mb": 7, "floor": "rhel-8.2"}))
    assert lab.base().lower == f"{tmp_path}/run/floor:/b/layer:/r"


def test_no_lab_is_of_no_kind(tmp_path: Path) -> None:
    assert Lab(Paths(tmp_path)).kind() is None


@pytest.mark.parametrize("release", RELEASES)
def test_the_command_line_hands_release_and_floor_on(monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Lab, "up", lambda _, *words, **options: asked.append((words, options)))
    assert main(["up", "--release", release, "--floor", "rhel-8.2", "--size-mb", "5"]) == 0
    assert main(["up"]) == 0
    assert asked == [
        ((5, True), {"release": release, "floor": "rhel-8.2"}),
        ((None, True), {"release": None, "floor": None}),
    ]


@pytest.mark.parametrize("words", [["--release", "buster"], ["--floor", "rhel-7"]])
def test_the_command_line_takes_no_other_names(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["up", *words])
