"""New data beside the old, with the scripts as they are, in folders of the test's own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import CommandFailed
from blocks.remote.shell import Shell
from tasks.database import data_directory
from tasks.database.new_directory import MARK, NewDirectory, Stream
from tasks.engine.change import Change
from tests.unit.fakes import LocalShell, silent
from tests.unit.tasks.runbooks.verify_backup.samples import with_programs

KEY = "0123456789ab"
PLAIN = Stream(("cat",), ("cat",), 1000)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return LocalShell(with_programs(tmp_path / "bin", systemctl="exit 0"))


@pytest.fixture
def new(tmp_path: Path) -> NewDirectory:
    (tmp_path / "mysql").mkdir()
    (tmp_path / "mysql" / "ibdata1").write_text("old")
    return NewDirectory(str(tmp_path / "mysql"), KEY, os.getuid())


def perform(shell: Shell, change: Change) -> bool:
    """Make a change; whether anything was to do."""
    if change.already and change.already(shell):
        return False
    for action in change.commands:
        if isinstance(action, Command):
            shell.run(action)
        else:
            action.perform(shell, silent)
    return True


GALERA = "version: 2.1\nuuid:    0f0758d6-72ee-4c40-ab38-52766dfcd456\nseqno:   2\nsafe_to_bootstrap: 1\n"


def make(shell: Shell, new: NewDirectory, **files: str) -> None:
    """Make new data that is whole."""
    if "xtrabackup_galera_info" not in files:
        files = {"grastate.dat": GALERA} | files
    perform(shell, new.begin("restore-galera"))
    shell.run(new.make_empty(labelled=False))
    for name, text in files.items():
        (Path(new.data) / name).write_text(text)
    perform(shell, new.finish(labelled=False))


def state(path: str) -> dict[str, str]:
    text = (Path(path) / "grastate.dat").read_text()
    return dict(re.findall(r"^(\w+): +(\S+)$", text, re.MULTILINE))


def test_what_was_made_of_other_backups_goes_and_this_one_stays(
    shell: Shell, new: NewDirectory, tmp_path: Path
) -> None:
    (tmp_path / "mysql-new-ba9876543210").mkdir()
    (tmp_path / "mysql-save-20261121T123456Z").mkdir()
    half = Path(new.data) / "half"
    half.mkdir(parents=True)
    perform(shell, new.begin("restore-galera"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bin",
        "mysql",
        f"mysql-new-{KEY}.part",
        "mysql-save-20261121T123456Z",
    ]
    assert list(Path(new.work).iterdir()) == []
    assert (Path(new.directory) / "ibdata1").read_text() == "old"


def test_what_was_made_keeps_its_position_and_gets_its_mark_and_its_name(shell: Shell, new: NewDirectory) -> None:
    make(shell, new, ibdata1="new", **{"openstack-runbooks.log": "x", "mysql.sock": "", "gvwstate.dat": "of another"})
    assert sorted(path.name for path in Path(new.path).iterdir()) == ["grastate.dat", "ibdata1", MARK]
    seen = state(new.path)
    assert seen["uuid"] == "0f0758d6-72ee-4c40-ab38-52766dfcd456"
    assert (seen["seqno"], seen["safe_to_bootstrap"]) == ("2", "0")
    assert new.find(shell) == new.path
    assert not Path(new.work).exists()
    assert not perform(shell, new.finish(labelled=False))


@pytest.mark.parametrize("left", ["", "uuid:    0f0758d6-72ee-4c40-ab38-52766dfcd456\nseqno:   -1\n"])
def test_data_without_a_position_is_none_that_a_cluster_could_form_of(
    left: str, shell: Shell, new: NewDirectory
) -> None:
    with pytest.raises(CommandFailed, match="has no position in Galera's history"):
        make(shell, new, **{"grastate.dat": left})
    assert new.find(shell) == ""


def test_a_copy_of_a_cluster_goes_on_with_its_position(shell: Shell, new: NewDirectory) -> None:
    make(shell, new, xtrabackup_galera_info="5f0c5f0c-0000-4000-8000-000000000001:42 0-1-7")
    seen = state(new.path)
    assert (seen["uuid"], seen["seqno"]) == ("5f0c5f0c-0000-4000-8000-000000000001", "42")


def test_a_copy_is_the_same_and_has_its_name_only_once_it_is_whole(
    shell: Shell, new: NewDirectory, tmp_path: Path
) -> None:
    make(shell, new, ibdata1="new")
    (tmp_path / "other").mkdir()
    other = NewDirectory(str(tmp_path / "other" / "mysql"), KEY, os.getuid())
    change = other.copy(shell, new.path, PLAIN, labelled=False, within_s=60)
    change.commands[0].perform(shell, silent)
    assert other.find(shell) == ""
    assert perform(shell, change)
    assert other.find(shell) == other.path
    for name in ("ibdata1", "grastate.dat", MARK):
        assert (Path(other.path) / name).read_text() == (Path(new.path) / name).read_text()
    assert not perform(shell, change)


def test_a_copy_of_what_is_not_there_fails_and_gets_no_name(shell: Shell, new: NewDirectory, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = NewDirectory(str(tmp_path / "other" / "mysql"), KEY, os.getuid())
    with pytest.raises(CommandFailed):
        perform(shell, other.copy(shell, new.path, PLAIN, labelled=False, within_s=60))
    assert other.find(shell) == ""


def test_the_new_data_takes_the_place_of_what_a_run_that_died_has_built(shell: Shell, new: NewDirectory) -> None:
    make(shell, new, ibdata1="new")
    old_data = data_directory.old_data_path(new.directory, "20261121T123456Z")
    put = new.put_in_place(old_data, "restore-galera")
    with pytest.raises(CommandFailed, match="nothing is discarded"):
        perform(shell, put)
    assert (Path(new.directory) / "ibdata1").read_text() == "old"
    perform(shell, data_directory.move_aside(new.directory, old_data))
    Path(new.directory).mkdir()
    (Path(new.directory) / "built").write_text("half")
    assert perform(shell, put)
    assert (Path(new.directory) / "ibdata1").read_text() == "new"
    assert not (Path(new.directory) / "built").exists()
    assert (Path(old_data) / "ibdata1").read_text() == "old"
    assert new.find(shell, old_data) == new.directory
    assert not perform(shell, put)


def test_data_that_clients_have_used_since_is_not_taken_for_new(shell: Shell, new: NewDirectory) -> None:
    """The same backup is restored once more: what lies in the data directory bears its mark, and is no more what it was."""
    make(shell, new)
    old_data = data_directory.old_data_path(new.directory, "20261121T123456Z")
    perform(shell, data_directory.move_aside(new.directory, old_data))
    perform(shell, new.put_in_place(old_data, "restore-galera"))
    assert new.find(shell) == ""
    assert new.find(shell, data_directory.old_data_path(new.directory, "20261122T000000Z")) == ""


def test_without_new_data_nothing_is_discarded(shell: Shell, new: NewDirectory) -> None:
    old_data = data_directory.old_data_path(new.directory, "20261121T123456Z")
    perform(shell, data_directory.move_aside(new.directory, old_data))
    with pytest.raises(CommandFailed, match="the new data is not in"):
        perform(shell, new.put_in_place(old_data, "restore-galera"))
