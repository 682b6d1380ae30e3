"""Both versions of control groups, in directories that look like theirs."""

from pathlib import Path

import pytest

from tests.lab.cgroups import Version1, Version2, at, read
from tests.lab.shell import LabError

HOST = "prefix/host"


@pytest.fixture
def first(tmp_path: Path) -> Version1:
    for tree in ("cpuset", "freezer", "pids", "systemd"):
        (tmp_path / tree).mkdir()
        (tmp_path / tree / "cgroup.procs").touch()
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset" / "cpuset.mems").write_text("0\n")
    return Version1(tmp_path)


@pytest.fixture
def second(tmp_path: Path) -> Version2:
    (tmp_path / HOST).mkdir(parents=True)
    for group in (tmp_path, tmp_path / "prefix", tmp_path / HOST):
        (group / "cgroup.controllers").write_text("cpu memory\n")
        (group / "cgroup.subtree_control").touch()
    return Version2(tmp_path)


def test_version_1_is_known_by_its_trees(first: Version1) -> None:
    assert isinstance(at(first.root), Version1)


def test_version_2_is_known_by_its_controllers(second: Version2) -> None:
    assert isinstance(at(second.root), Version2)


def test_refuses_a_machine_with_neither(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="neither of version 2, nor of version 1"):
        at(tmp_path)


def test_refuses_version_1_without_a_freezer(first: Version1) -> None:
    (first.root / "freezer" / "cgroup.procs").unlink()
    with pytest.raises(LabError, match="neither of version 2, nor of version 1"):
        at(first.root)


def test_a_host_has_a_group_in_each_tree_of_version_1(first: Version1) -> None:
    first.make(HOST)
    assert first.inside(HOST) == [first.root / tree / HOST for tree in ("cpuset", "freezer", "pids", "systemd")]
    assert all(group.is_dir() for group in first.inside(HOST))


def test_a_group_of_version_1_has_processors_before_a_process_joins(first: Version1) -> None:
    first.make(HOST)
    for group in ("prefix", HOST):
        assert (first.root / "cpuset" / group / "cpuset.cpus").read_text() == "0-1\n"
    assert (first.root / "cpuset" / HOST / "cgroup.clone_children").read_text() == "1"


def test_version_1_thaws_before_it_kills(first: Version1) -> None:
    first.make(HOST)
    container = first.root / "freezer" / HOST / "container"
    container.mkdir()
    (container / "freezer.state").write_text("FROZEN\n")
    first.kill(HOST, None)
    assert (container / "freezer.state").read_text() == "THAWED"


def test_version_2_hands_controllers_down_to_the_host_and_leaves_the_rest_to_it(second: Version2) -> None:
    second.make(HOST)
    # A directory keeps what was written last; the kernel adds.
    assert (second.root / "cgroup.subtree_control").read_text() == "+memory"
    assert (second.root / "prefix" / "cgroup.subtree_control").read_text() == "+memory"
    assert (second.root / HOST / "cgroup.subtree_control").read_text() == ""


def test_a_controller_that_is_not_handed_down_is_named(second: Version2) -> None:
    control = second.root / "prefix" / "cgroup.subtree_control"
    control.unlink()
    control.mkdir()
    with pytest.raises(LabError, match="prefix does not hand the controller 'cpu' down: Is a directory"):
        second.make(HOST)


def test_nobody_joins_the_group_of_a_host_of_version_2_from_outside(second: Version2) -> None:
    second.make(HOST)
    assert second.outside(HOST) == [second.root / HOST / "outside"]
    assert second.outside(HOST)[0].is_dir()
    assert second.inside(HOST) == [second.root / HOST]


def test_version_2_kills_the_whole_tree(second: Version2) -> None:
    second.kill(HOST, None)
    assert (second.root / HOST / "cgroup.kill").read_text() == "1"


def test_killing_a_host_that_is_not_there_is_no_error(second: Version2, tmp_path: Path) -> None:
    second.kill("prefix/other", None)
    assert not (tmp_path / "prefix" / "other").exists()


def test_processes_are_found_in_every_group_below_and_those_of_no_number_left_out(second: Version2) -> None:
    for group, processes in ((HOST, ""), (f"{HOST}/init.scope", "7\n"), (f"{HOST}/a.slice/b", "0\n9\n8\n")):
        (second.root / group).mkdir(parents=True, exist_ok=True)
        (second.root / group / "cgroup.procs").write_text(processes)
    assert second.pids(HOST) == [7, 8, 9]
    assert [line for line in second.leftovers("prefix") if line.startswith("process 9")] == [
        f"process 9 in {second.root / HOST}/a.slice/b"
    ]


def test_groups_go_from_the_bottom_up_and_twice_is_no_error(first: Version1) -> None:
    first.make(HOST)
    for file in first.root.rglob("prefix/**/*"):
        if file.is_file():
            file.unlink()
    for file in (first.root / "cpuset" / "prefix").iterdir():
        if file.is_file():
            file.unlink()
    (first.root / "pids" / HOST / "a.slice" / "b").mkdir(parents=True)
    for _ in range(2):
        assert first.remove(HOST) == ""
        first.remove_parents("prefix")
        assert first.leftovers("prefix") == []


def test_a_group_that_is_still_in_use_is_named(second: Version2) -> None:
    assert "not empty" in second.remove(HOST)


def test_what_has_ended_reads_as_nothing_but_no_other_error_is_hidden(tmp_path: Path) -> None:
    assert read(tmp_path / "gone") == ""
    with pytest.raises(IsADirectoryError):
        read(tmp_path)
