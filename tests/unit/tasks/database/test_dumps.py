"""Both ends of a file, where it really lies, and its copies for the database."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks.database.dumps import (
    File,
    copy_in,
    dump_copy,
    grants_copy,
    lies_in,
    read_file,
    remove_words,
)
from tasks.database.grants import parse_grants
from tests.unit.fakes import LocalShell


def test_both_ends_of_a_real_file_are_read(here: LocalShell, tmp_path: Path) -> None:
    path = tmp_path / "a dump's name.sql"
    path.write_text(text := "a" * 4000 + "é" * 5000 + "z" * 4095 + "\n")
    seen = read_file(here, str(path))
    assert (seen.size, seen.modified) == (len(text.encode()), int(path.stat().st_mtime))
    assert seen.head.startswith("a" * 4000 + "é")
    assert seen.tail == "z" * 4095 + "\n"
    assert seen.magic == b"aaaaaaaa"


@pytest.mark.parametrize("size", [0, 1])
def test_a_short_file_is_read(here: LocalShell, tmp_path: Path, size: int) -> None:
    path = tmp_path / "dump.sql"
    path.write_text("x" * size)
    assert read_file(here, str(path)).size == size


@pytest.mark.parametrize("name", ["missing.sql", ""])
def test_a_file_that_is_missing_or_a_folder_is_told_apart_from_an_empty_one(
    here: LocalShell, tmp_path: Path, name: str
) -> None:
    assert read_file(here, f"{tmp_path}/{name}").size == -1


def test_another_file_under_the_same_name_has_another_fingerprint() -> None:
    file = File("/d", 10, 100, "", "")
    assert (
        len({file.fingerprint, File("/d", 11, 100, "", "").fingerprint, File("/d", 10, 101, "", "").fingerprint}) == 3
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a dump in a folder in it, and another dump beside it."""
    (tmp_path / "mysql" / "backup").mkdir(parents=True)
    for place in ("mysql/backup/dump.sql", "dump.sql"):
        (tmp_path / place).write_text("-- MariaDB dump")
    return tmp_path / "mysql"


def test_a_file_in_the_data_directory_is_found_there_by_each_of_its_names(here: LocalShell, data: Path) -> None:
    (data.parent / "link.sql").symlink_to(data / "backup" / "dump.sql")
    (data.parent / "folder").symlink_to(data / "backup")
    for name in ("mysql/backup/dump.sql", "link.sql", "folder/dump.sql", "mysql/../mysql/backup/dump.sql"):
        assert lies_in(here, f"{data.parent}/{name}", str(data)) == str(data), name


def test_a_file_in_the_data_directory_is_found_through_a_link_to_that(here: LocalShell, data: Path) -> None:
    (data.parent / "var").symlink_to(data)
    assert lies_in(here, f"{data}/backup/dump.sql", f"{data.parent}/var") == f"{data.parent}/var"


def test_a_file_beside_the_data_directory_may_be_restored(here: LocalShell, data: Path) -> None:
    (data / "link.sql").symlink_to(data.parent / "dump.sql")
    assert lies_in(here, f"{data.parent}/dump.sql", str(data), f"{data}-save") == ""
    assert lies_in(here, f"{data}/link.sql", str(data)) == "", "the link goes, and the file stays"
    assert lies_in(here, f"{data.parent}/none.sql", str(data)) == ""


def test_a_file_is_found_through_a_mount_of_a_folder_of_the_data_directory(here: LocalShell, data: Path) -> None:
    """The mount has a namespace of its own, and goes with it."""
    (data.parent / "mounted").mkdir()
    check = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    if check.returncode != 0:
        pytest.skip("no mount namespace may be made here")

    class Mounted(LocalShell):
        def run(self, command, on_line=None):  # type: ignore[no-untyped-def]
            mount = f'mount --bind {data}/backup {data.parent}/mounted && exec "$@"'
            words = ("unshare", "--mount", "bash", "-c", mount, "bash", *command.words)
            return super().run(type(command)(words), on_line)

    assert lies_in(Mounted(), f"{data.parent}/mounted/dump.sql", str(data)) == str(data)


def test_the_copies_are_readable_by_root_alone_and_removed_by_their_names() -> None:
    assert copy_in("/var/lib/mysql", "/home/heat-admin/d.sql", "/home/heat-admin/g.sql").shown == [
        "sudo install -m 600 /home/heat-admin/d.sql /var/lib/mysql/openstack-runbooks-dump.sql",
        "sudo install -m 600 /home/heat-admin/g.sql /var/lib/mysql/openstack-runbooks-grants.sql",
    ]
    assert remove_words("/var/lib/mysql") == (
        *("rm", "-f", "--"),
        *("/var/lib/mysql/openstack-runbooks-dump.sql", "/var/lib/mysql/openstack-runbooks-grants.sql"),
    )


def test_a_dump_and_grants_of_one_name_have_copies_of_their_own(here: LocalShell, tmp_path: Path) -> None:
    for kind in ("db", "grants", "mysql"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "mysql.sql").write_text(f"-- {kind}")
    change = copy_in(f"{tmp_path}/mysql", f"{tmp_path}/db/mysql.sql", f"{tmp_path}/grants/mysql.sql")
    for command in change.commands:
        here.run(command)  # type: ignore[arg-type]
    assert Path(dump_copy(f"{tmp_path}/mysql")).read_text() == "-- db"
    assert Path(grants_copy(f"{tmp_path}/mysql")).read_text() == "-- grants"


def test_doubled_backslashes_and_a_line_for_newer_clients_are_undone_in_the_copy_alone(
    here: LocalShell, tmp_path: Path
) -> None:
    given = tmp_path / "grants.sql"
    kept = "GRANT SELECT ON `a\\_b`.* TO `x\\\\y`@`%`;\n"
    text = "/*M!999999\\- enable the sandbox mode */ \nGRANT SELECT ON `nova\\\\_cell0`.* TO `a`@`10\\\\%`;\n" + kept
    given.write_text(text)
    (tmp_path / "mysql").mkdir()
    for command in copy_in(f"{tmp_path}/mysql", str(given), str(given), parse_grants(text).edit).commands:
        here.run(command)  # type: ignore[arg-type]
    copy = Path(grants_copy(f"{tmp_path}/mysql"))
    assert copy.read_text() == "\nGRANT SELECT ON `nova\\_cell0`.* TO `a`@`10\\%`;\n" + kept
    assert copy.stat().st_mode & 0o777 == 0o600
    assert given.read_text() == text


def test_the_dump_alone_is_copied_where_there_are_no_grants() -> None:
    assert copy_in("/var/lib/mysql", "/root/all.sql").shown == [
        "sudo install -m 600 /root/all.sql /var/lib/mysql/openstack-runbooks-dump.sql"
    ]
