"""A dump and what was in the server are of one moment, whatever is written meanwhile; and a dump that is none fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents
from tasks.database.documented_dump import schemas_words
from tasks.database.dump_checks import check_dump_contents, check_dump_ends
from tasks.database.dump_contents import parse_contents
from tasks.database.dump_reading import read_dump
from tasks.database.dumping import contents_file, end_words
from tasks.database.dumps import read_file
from tasks.database.grants import parse_grants
from tasks.database.grants_dumping import read_grants_text
from tests.database.backups import LARGEST, Backup, back_up, drill, dump
from tests.database.local_server import LocalServer
from tests.database.sample import SAMPLE


@pytest.fixture
def filled(origin: LocalServer, backup: Backup) -> LocalServer:
    """The server with the sample in it."""
    origin.empty()
    origin.sql(SAMPLE)
    return origin


@contextmanager
def writing(server: LocalServer, *statements: str) -> Iterator[None]:
    """Writes, as fast as the server takes it."""
    ended, errors = threading.Event(), []

    def write() -> None:
        while not ended.is_set():
            try:
                server.sql("".join(f"{statement};\n" for statement in statements) * 20)
            except AssertionError as error:
                errors.append(error)
                return

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    assert not errors


@contextmanager
def program(server: LocalServer, name: str, text: str) -> Iterator[None]:
    """Puts a program of that name before the real one."""
    path = server.shell.programs / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    try:
        yield
    finally:
        path.unlink()


def test_dump_and_contents_are_of_one_moment_while_others_write(filled: LocalServer, target: LocalServer) -> None:
    filled.sql("INSERT INTO notes SELECT seq, seq FROM seq_1_to_100000", "nova")
    with writing(
        filled,
        "INSERT INTO nova.notes VALUES ('new', 1)",
        "UPDATE nova.instances SET host = UUID() WHERE id = 7",
        "DO NEXTVAL(nova.ticket)",
    ):
        taken = [back_up(filled) for _ in range(3)]
    assert len({one.contents.schemas["nova"].tables["notes"].rows for one in taken}) == 3, "nobody wrote meanwhile"
    for one in taken:
        assert drill(one, target) == []


def test_of_tables_without_transactions_it_is_said_that_they_may_have_been_written(
    filled: LocalServer, target: LocalServer
) -> None:
    # Written once the lock has ended, and before mysqldump comes to that table: it is still at the schema before.
    text = r"""
        for word; do options+=("$word"); [ "$word" != --databases ] || break; done
        real() { PATH=${PATH#*:} mysqldump "${options[@]}" "$@"; }
        real nova only_views
        PATH=${PATH#*:} mysql "${options[@]:0:3}" -e "INSERT INTO legacy.invoices VALUES (1000, 1)"
        real legacy nothing_in_it"""
    with program(filled, "mysqldump", text):
        taken = back_up(filled)
    assert drill(taken, target) == [
        "table legacy.invoices: has one row more: 51, not 50; no snapshot holds rows of Aria: they may have been written while "
        "the dump was taken"
    ]


def test_the_read_lock_is_held_for_a_moment_only(filled: LocalServer) -> None:
    text = """PATH=${PATH#*:} mysqldump "$@"; sleep 2"""
    with program(filled, "mysqldump", text):
        taking = threading.Thread(target=dump, args=(filled,))
        taking.start()
        time.sleep(1)
        began = time.monotonic()
        filled.sql("INSERT INTO nova.notes VALUES ('while', 1)")
        assert time.monotonic() - began < 0.8
        assert taking.is_alive()
        taking.join()


@pytest.mark.parametrize("by", ["the host", "the server"])
def test_the_read_lock_ends_whatever_becomes_of_the_dump(by: str, filled: LocalServer) -> None:
    """Mysqldump hangs before its snapshot: the unit's end ends all of it, and so does the server after its idle time."""
    with program(filled, "mysqldump", "sleep 8"):
        taking = threading.Thread(target=dump, args=(filled, 60 if by == "the host" else 2))
        taking.start()
        time.sleep(1)
        began = time.monotonic()
        if by == "the host":
            assert filled.shell.call(end_words(filled.server)).returncode == 0
        filled.sql("INSERT INTO nova.notes VALUES ('after', 1)")
        assert time.monotonic() - began < 4
        taking.join()
    assert filled.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'root'") == "1\n"


def test_a_lock_that_was_lost_is_a_failure(filled: LocalServer) -> None:
    with program(filled, "mysqldump", """sleep 2.5; PATH=${PATH#*:} exec mysqldump "$@" """):
        done = dump(filled, lock_s=1)
    assert done.returncode != 0
    assert "the read lock was lost" in done.stderr.decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit 0", "the dump is cut short"),
        ("echo '-- MariaDB dump'; exit 3", "the dump is cut short"),
        ('PATH=${PATH#*:} mysqldump "$@" | head -c 9000', "the dump is cut short"),
        ("PATH=${PATH#*:} mysqldump \"$@\"; echo 'mysqldump: Got errno 28 on write' >&2; exit 5", "Got errno 28"),
    ],
)
def test_a_dump_that_is_none_fails(text: str, said: str, filled: LocalServer) -> None:
    with program(filled, "mysqldump", text):
        done = dump(filled)
    assert done.returncode != 0
    assert said in done.stderr.decode()


def test_a_compressor_that_fails_fails_the_dump(filled: LocalServer) -> None:
    with program(filled, "zstd", "head -c 100 >/dev/null; exit 1"):
        assert dump(filled).returncode != 0


def test_a_server_that_holds_nothing_is_no_backup(origin: LocalServer, backup: Backup) -> None:
    origin.empty()
    done = dump(origin)
    assert done.returncode != 0
    assert "there is no schema but the server's own" in done.stderr.decode()


def test_what_restore_galera_reads_accepts_dump_and_grants(backup: Backup, origin: LocalServer, tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    path.write_bytes(backup.sql)
    server = backup.contents.series
    assert server is not None
    file = read_file(origin.shell, str(path))
    assert all(check.ok for check in check_dump_ends("here", file, server))
    found = parse_contents(read_dump(origin.shell, str(path)))
    assert all(check.ok for check in check_dump_contents("here", file, found, server))
    nova = found.schemas["nova"]
    assert nova.routines == {"vcpus_of", "archive", "tools"}
    assert (nova.triggers, nova.events, nova.views) == ({"count_up"}, {"purge_faults"}, {"active"})
    assert set(nova.tables) == {"instances", "faults", "notes", "ticket"}
    assert found.schemas["only_views"].views == {"hosts"}
    grants = parse_grants(backup.grants)
    assert [str(account) for account in grants.accounts] == [
        "'locked'@'192.168.24.%'",
        "'nova'@'%'",
        "'nova'@'ctl-0.example.com'",
    ]
    assert grants.roles == ("auditor", "reader")
    assert grants.undefined_roles == ()


def test_accounts_that_skip_name_resolve_hides_are_in_the_grants(filled: LocalServer, target: LocalServer) -> None:
    whole = back_up(filled)
    filled.stop()
    filled.start("--skip-name-resolve")
    try:
        hidden = back_up(filled)
    finally:
        filled.stop()
        filled.start()
    assert "ctl-0.example.com" in hidden.grants
    assert compare(whole.contents, hidden.contents).same
    assert drill(hidden, target) == []


def test_a_table_that_is_too_large_is_not_hashed_and_that_is_said(filled: LocalServer) -> None:
    whole = read_contents(filled.shell, filled.server, LARGEST, 600)
    little = read_contents(filled.shell, filled.server, 16_000, 600)
    late = read_contents(filled.shell, filled.server, LARGEST, 0)
    assert little.schemas["nova"].tables["instances"].rows is None
    assert compare(whole, little).same
    said = [str(one) for one in compare(whole, little).not_compared]
    assert any(one.startswith("table nova.instances: rows not compared: it has 0 MiB, more than") for one in said), said
    assert {table.rows for schema in late.schemas.values() for table in schema.tables.values()} == {None}


def test_what_cannot_be_read_is_said_and_the_rest_is_read(filled: LocalServer) -> None:
    filled.sql("CREATE TABLE nova.gone (a INT) ENGINE=MyISAM")
    for suffix in ("MYD", "MYI"):
        (filled.data / "nova" / f"gone.{suffix}").unlink()
    filled.sql("FLUSH TABLES")
    seen: ServerContents = read_contents(filled.shell, filled.server, LARGEST, 600)
    assert "table nova.gone" in seen.unreadable
    assert seen.schemas["nova"].tables["instances"].rows == 300
    filled.sql("DROP TABLE nova.gone")


def test_contents_are_readable_by_their_owner_alone_and_have_no_password(filled: LocalServer) -> None:
    back_up(filled)
    path = Path(contents_file(filled.server))
    assert path.stat().st_mode & 0o777 == 0o600
    assert "nova-password" not in path.read_text()


def test_a_new_server_holds_nothing(target: LocalServer) -> None:
    target.empty()
    new = read_contents(target.shell, target.server, LARGEST, 600)
    assert (new.schemas, new.accounts, new.unreadable) == ({}, {}, {})


def test_the_grants_are_the_same_when_read_again(filled: LocalServer) -> None:
    assert read_grants_text(filled.shell, filled.server) == read_grants_text(filled.shell, filled.server)


@pytest.mark.parametrize("directory", [".sst", "lost+found"])
def test_a_directory_that_is_no_schema_ends_no_dump(directory: str, filled: LocalServer, target: LocalServer) -> None:
    """A state transfer that was cut short leaves `.sst`, which the server lists as a schema."""
    left = filled.data / directory
    left.mkdir()
    try:
        assert f"#mysql50#{directory}" in filled.sql("SHOW DATABASES")
        backup = back_up(filled)
        documented = filled.shell.call(schemas_words(filled.server))
    finally:
        left.rmdir()
    assert f"#mysql50#{directory}" not in backup.contents.schemas
    assert drill(backup, target) == []
    assert documented.returncode == 0, documented.stderr.decode()
