"""The old data is kept under a name of its own, nothing is overwritten, and the new directory is the documented one."""

import re
from pathlib import Path

import pytest

from blocks.remote.command import Command, command
from blocks.remote.errors import CommandFailed
from blocks.remote.units import LongCommand
from tasks.database.data_directory import (
    copy_aside,
    create_new_directory,
    move_aside,
    old_data_path,
    parse_data_directory,
    read_data_directory,
)
from tasks.engine.change import Change
from tasks.engine.step import apply_change
from tests.unit.fakes import FakeShell, LocalShell, silent

DIRECTORY, KEPT = "/var/lib/mysql", "/var/lib/mysql-save-20261121T123456Z"


def test_what_the_host_says_is_read() -> None:
    text = (
        "used 1048576\nfree   52428800\nmount no\nlabel yes\nsave /var/lib/mysql-save\nsave /var/lib/mysql-save-2 old\n"
    )
    seen = parse_data_directory(text)
    assert (seen.used_bytes, seen.free_bytes, seen.mount_point, seen.labelled) == (1048576, 52428800, False, True)
    assert seen.saves == ("/var/lib/mysql-save", "/var/lib/mysql-save-2 old")


def test_a_directory_that_is_missing_holds_nothing() -> None:
    assert parse_data_directory("used \nfree 10\nmount no\nlabel no\n").used_bytes == 0


def test_a_mount_point_is_told() -> None:
    assert parse_data_directory("used 1\nfree 1\nmount yes\nlabel no\n").mount_point


def test_a_real_directory_is_read(here: LocalShell, tmp_path: Path) -> None:
    data = tmp_path / "my sql"
    (data / "keystone").mkdir(parents=True)
    (data / "ibdata1").write_bytes(b"x" * 100_000)
    (tmp_path / "my sql-save").mkdir()
    (tmp_path / "my sql-save-20200101T000000Z").mkdir()
    (tmp_path / "mysqlx-save").mkdir()
    seen = read_data_directory(here, str(data))
    assert seen.used_bytes >= 100_000
    assert seen.free_bytes > 0
    assert not seen.mount_point
    assert seen.saves == (f"{data}-save", f"{data}-save-20200101T000000Z")


def test_a_real_mount_point_is_seen(here: LocalShell) -> None:
    assert read_data_directory(here, "/proc").mount_point


def test_a_missing_directory_can_be_looked_at(here: LocalShell, tmp_path: Path) -> None:
    seen = read_data_directory(here, str(tmp_path / "mysql"))
    assert (seen.used_bytes, seen.saves, seen.mount_point) == (0, (), False)
    assert seen.free_bytes > 0


def test_the_old_data_goes_beside_the_directory_under_a_dated_name() -> None:
    assert old_data_path(DIRECTORY, "20261121T123456Z") == KEPT


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "mysql"
    data.mkdir()
    (data / "ibdata1").write_text("the old data")
    return data


def test_the_data_is_moved_aside_once(here: LocalShell, data: Path) -> None:
    kept = data.with_name("mysql-save-1")
    assert apply_change(here, move_aside(str(data), str(kept)), silent) == "done"
    assert (kept / "ibdata1").read_text() == "the old data"
    assert not data.exists()
    data.mkdir()
    assert apply_change(here, move_aside(str(data), str(kept)), silent) == "already"
    assert list(kept.iterdir()) == [kept / "ibdata1"]


def test_a_missing_directory_is_kept_as_an_empty_one(here: LocalShell, tmp_path: Path) -> None:
    kept = tmp_path / "mysql-save-1"
    apply_change(here, move_aside(str(tmp_path / "mysql"), str(kept)), silent)
    assert list(kept.iterdir()) == []


def test_an_existing_target_is_neither_overwritten_nor_moved_into(here: LocalShell, data: Path) -> None:
    kept = data.with_name("mysql-save-1")
    kept.mkdir()
    blind = Change(move_aside(str(data), str(kept)).commands)  # as if it had appeared after the look
    with pytest.raises(CommandFailed) as failed:
        apply_change(here, blind, silent)
    assert failed.value.exit_code == 17
    assert list(kept.iterdir()) == []
    assert (data / "ibdata1").read_text() == "the old data"


def lines(change: Change) -> list[str]:
    return [action.shown for action in change.commands if isinstance(action, Command)]


def test_the_new_directory_has_the_documented_owner_and_mode() -> None:
    assert lines(create_new_directory(DIRECTORY, KEPT, 42434, labelled=False, rebuild=False, runbook="x")) == [
        "sudo mkdir -p /var/lib/mysql",
        "sudo chown 42434:42434 /var/lib/mysql",
        "sudo chmod 0755 /var/lib/mysql",
    ]


def test_it_gets_the_documented_label_where_files_have_labels() -> None:
    assert lines(create_new_directory(DIRECTORY, KEPT, 42434, labelled=True, rebuild=False, runbook="x"))[3:] == [
        "sudo chcon system_u:object_r:container_file_t:s0 /var/lib/mysql"
    ]


@pytest.mark.parametrize(
    ("seen", "labelled", "outcome"),
    [
        ("42434:42434 755 ?", False, "already"),
        ("42434:42434 755 unconfined_u:object_r:var_lib_t:s0", False, "already"),
        ("42434:42434 755 system_u:object_r:container_file_t:s0", True, "already"),
        ("42434:42434 755 unconfined_u:object_r:var_lib_t:s0", True, "done"),
        ("42434:42434 755 ?", True, "done"),
        ("42434:42434 700 ?", False, "done"),
        ("0:0 755 ?", False, "done"),
        ("", False, "done"),
    ],
)
def test_it_is_made_only_where_it_is_not_as_it_should_be(seen: str, labelled: bool, outcome: str) -> None:
    shell = FakeShell(otherwise="").on("stat", say=seen)
    assert (
        apply_change(
            shell,
            create_new_directory(DIRECTORY, KEPT, 42434, labelled, rebuild=False, runbook="restore-galera"),
            silent,
        )
        == outcome
    )
    assert bool(shell.lines("chown")) is (outcome == "done")


def discard(change: Change) -> Change:
    """The part of a change that discards, alone: the others need root."""
    first = change.commands[0]
    assert isinstance(first, Command)
    assert re.search(r"-delete", " ".join(first.words))
    return Change((first,))


@pytest.fixture
def systemd(tmp_path: Path) -> LocalShell:
    """This machine with a systemctl that only notes what it is asked."""
    (tmp_path / "systemctl").write_text(f'#!/bin/bash\necho "$*" >> {tmp_path}/asked\n')
    (tmp_path / "systemctl").chmod(0o755)
    return LocalShell(tmp_path)


def test_a_half_built_database_is_discarded_while_the_old_data_is_kept(systemd: LocalShell, data: Path) -> None:
    kept = data.with_name("mysql-save-1")
    kept.mkdir()
    (kept / "ibdata1").write_text("the original")
    apply_change(
        systemd,
        discard(create_new_directory(str(data), str(kept), 42434, labelled=False, rebuild=True, runbook="x")),
        silent,
    )
    assert list(data.iterdir()) == []
    assert (kept / "ibdata1").read_text() == "the original"
    assert "stop openstack-runbooks-x-*.service" in (data.parent / "asked").read_text()


def test_nothing_is_discarded_where_nothing_is_kept(systemd: LocalShell, data: Path) -> None:
    with pytest.raises(CommandFailed):
        apply_change(
            systemd,
            discard(
                create_new_directory(
                    str(data), f"{data}-save-1", 42434, labelled=False, rebuild=True, runbook="restore-galera"
                )
            ),
            silent,
        )
    assert (data / "ibdata1").read_text() == "the old data"


def test_nothing_is_discarded_unless_it_is_asked_for() -> None:
    assert not any(
        "-delete" in line.split()
        for line in lines(create_new_directory(DIRECTORY, KEPT, 42434, labelled=True, rebuild=False, runbook="x"))
    )


def test_a_copy_is_whole_before_it_has_its_name(systemd: LocalShell, data: Path) -> None:
    kept = f"{data}-save-1"
    (long,) = copy_aside(str(data), kept, "x", 60).commands
    assert isinstance(long, LongCommand)
    systemd.run(command(*long.words))
    assert {file.name: file.read_text() for file in Path(kept).iterdir()} == {"ibdata1": "the old data"}
    assert list(data.iterdir()), "a copy leaves what it was made of"
    with pytest.raises(CommandFailed):
        systemd.run(command(*long.words))


def test_a_copy_that_differs_gets_no_name(tmp_path: Path, systemd: LocalShell, data: Path) -> None:
    (tmp_path / "cp").write_text('#!/bin/bash\n/bin/cp "$@"\necho other > "${@: -1}/ibdata1"\n')
    (tmp_path / "cp").chmod(0o755)
    (long,) = copy_aside(str(data), f"{data}-save-1", "x", 60).commands
    assert isinstance(long, LongCommand)
    with pytest.raises(CommandFailed, match="is not as"):
        systemd.run(command(*long.words))
    assert not Path(f"{data}-save-1").exists()
