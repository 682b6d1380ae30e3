"""The demo begins with the lab that was asked for, whatever is up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.demo import cluster
from tests.lab import Lab
from tests.lab.kinds import Kind, Wanted
from tests.lab.machines import Machines
from tests.lab.paths import Paths
from tests.lab.settings import HOSTS


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is done to a lab whose hosts are all on, and on which no demo was interrupted."""
    steps: list[Any] = []
    monkeypatch.setattr(Machines, "running", lambda _: list(HOSTS))
    monkeypatch.setattr(cluster, "_is_interrupted", lambda _: False)
    monkeypatch.setattr(Lab, "kill", lambda _, host: steps.append(host))
    monkeypatch.setattr(Lab, "up", lambda _, release, floor: steps.append((release, floor)))
    return steps


def lab_of(tmp_path: Path, kind: Kind) -> Lab:
    lab = Lab(Paths(tmp_path), quiet=True)
    lab.paths.run.mkdir()
    state = {"base": "/b", "rootfs": "/r", "release": kind.release, "floor": kind.floor, "size_mb": kind.size_mb}
    lab.paths.state.write_text(json.dumps(state))
    return lab


@pytest.mark.parametrize("wanted", [Wanted(), Wanted("trixie", "rhel-8.2")])
def test_a_lab_of_the_kind_is_kept(tmp_path: Path, done: list[Any], wanted: Wanted) -> None:
    cluster.bring_up(lab_of(tmp_path, Kind("trixie", "rhel-8.2")), wanted)
    assert done == [(wanted.release, wanted.floor)]


@pytest.mark.parametrize("wanted", [Wanted("bookworm"), Wanted(floor="none")])
def test_hosts_of_another_kind_are_switched_off_first(tmp_path: Path, done: list[Any], wanted: Wanted) -> None:
    cluster.bring_up(lab_of(tmp_path, Kind("trixie", "rhel-8.2")), wanted)
    assert done == [*HOSTS, (wanted.release, wanted.floor)]


def test_so_are_hosts_on_which_a_demo_was_interrupted(
    tmp_path: Path, done: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_is_interrupted", lambda _: True)
    cluster.bring_up(lab_of(tmp_path, Kind()), Wanted())
    assert done == [*HOSTS, (None, None)]
