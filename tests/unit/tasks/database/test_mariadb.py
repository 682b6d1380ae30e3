"""MariaDB's versions, the SQL that sets root's password, and what is run to start and stop a server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import HostError, WaitExpired
from tasks.database.mariadb import Server, Version, parse_version, read_version, root_password_sql
from tasks.engine.change import Change
from tasks.engine.step import apply_change
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")
PASSWORD = "pa'ss\\wörd\"; DROP TABLE x; --"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("10.3.28-MariaDB", Version(10, 3)),
        ("10.11.6-MariaDB-0+deb12u1-log", Version(10, 11)),
        ("/usr/libexec/mysqld  Ver 10.3.28-MariaDB for Linux on x86_64 (MariaDB Server)", Version(10, 3)),
        ("mariadbd  Ver 10.11.6-MariaDB-0+deb12u1-log for debian-linux-gnu on x86_64 (Debian 12)", Version(10, 11)),
        ("5.5.5-10.11.6-MariaDB", Version(10, 11)),
        ("-- Server version\t10.5.22-MariaDB", Version(10, 5)),
        ("-- MySQL dump 10.16  Distrib 10.1.48-MariaDB, for Linux (x86_64)", Version(10, 1)),
        ("11.4.2-MariaDB", Version(11, 4)),
        ("8.0.30", None),
        ("-- Server version\t8.0.30", None),
        ("/usr/sbin/mysqld  Ver 8.0.30 for Linux on x86_64 (MySQL Community Server - GPL)", None),
        ("", None),
    ],
)
def test_the_series_is_found_in_what_servers_and_dumps_say(text: str, version: Version | None) -> None:
    assert parse_version(text) == version


def test_versions_are_ordered_as_numbers() -> None:
    assert Version(10, 3) < Version(10, 4) < Version(10, 11) < Version(11, 0)
    assert str(Version(10, 11)) == "10.11"


def test_the_server_in_the_container_is_asked() -> None:
    shell = FakeShell().on("--version", SERVER.container, say="mysqld  Ver 10.3.28-MariaDB for Linux\n")
    assert read_version(shell, SERVER.container) == Version(10, 3)


def test_a_server_that_says_no_version_is_told() -> None:
    with pytest.raises(HostError, match=r"controller-0: the server in .* does not say its version: 'Ver 8\.0\.30'"):
        read_version(FakeShell().on("--version", say="Ver 8.0.30\n"), SERVER.container)


@pytest.mark.parametrize("version", [Version(10, 1), Version(10, 3), Version(10, 4), Version(10, 11), Version(11, 4)])
def test_the_password_is_not_readable_in_the_sql(version: Version) -> None:
    sql = root_password_sql(version, PASSWORD)
    assert PASSWORD not in sql
    assert "DROP" not in sql
    assert f"X'{PASSWORD.encode().hex()}'" in sql


@pytest.mark.parametrize(("version", "table"), [(Version(10, 3), "user"), (Version(10, 4), "global_priv")])
def test_the_table_of_the_accounts_is_changed_and_not_the_view_of_later_servers(version: Version, table: str) -> None:
    sql = root_password_sql(version, PASSWORD)
    assert re.findall(r"mysql\.(\w+)", sql) == [table, table, "db"]


def test_every_root_account_gets_it_and_the_server_is_told_to_read_it() -> None:
    for version in (Version(10, 3), Version(10, 11)):
        statements = root_password_sql(version, PASSWORD).strip().splitlines()
        assert statements[0].endswith("WHERE User = 'root';")
        assert statements[-1] == "FLUSH PRIVILEGES;"


def test_sql_goes_through_standard_input_and_the_socket() -> None:
    statement = SERVER.statement("SELECT 'secret'")
    assert statement.stdin == "SELECT 'secret'"
    assert "SELECT" not in statement.shown + statement.line
    assert "--socket=/var/lib/mysql/mysql.sock" in statement.words
    assert "--defaults-extra-file=/root/.my.cnf" in statement.words
    assert statement.quiet


@pytest.mark.parametrize(("answer", "word"), [("7\n", "running"), ("", "stopped")])
def test_a_server_runs_where_its_process_is_found(answer: str, word: str) -> None:
    assert SERVER.process(FakeShell().on("pgrep", say=answer)) == word


@pytest.mark.parametrize("name", ["mysqld", "mariadbd"])
def test_a_real_process_is_found_under_either_name_and_no_other(tmp_path: Path, name: str) -> None:
    """`mysqld_safe` lives on after its server, and a container that does not run has the number 0."""
    stub = tmp_path / "podman"
    stub.write_text(f"#!/bin/sh\necho {os.getpid()}\n")
    stub.chmod(0o755)
    shell = LocalShell(tmp_path)
    if SERVER.process(shell) == "running":
        pytest.skip("this machine has a MariaDB of its own")
    for program, word in ((f"{name}_safe", "stopped"), (name, "running")):
        shutil.copy("/bin/sleep", tmp_path / program)
        with subprocess.Popen([tmp_path / program, "60"]) as process:
            assert SERVER.process(shell) == word
            process.kill()
    assert SERVER.process(shell) == "stopped"
    stub.write_text("#!/bin/sh\necho 0\n")
    with subprocess.Popen([tmp_path / name, "60"]) as process:
        assert SERVER.process(shell) == "stopped"
        process.kill()


@pytest.mark.parametrize(("code", "word"), [(0, "answering"), (1, "silent")])
def test_a_server_answers_where_its_socket_does(code: int, word: str) -> None:
    assert SERVER.answers(FakeShell().on("mysqladmin", "ping", say=code)) == word


def test_the_temporary_server_has_neither_network_nor_replication(clock: FakeClock) -> None:
    shell = FakeShell().on("pgrep", say="").on("mysqld_safe", say="").on("ping", say=[1, 1, 0])
    assert apply_change(shell, SERVER.start_standalone(30), silent) == "done"
    (started,) = shell.lines("mysqld_safe")
    assert "--skip-networking" in started
    assert "--wsrep-on=OFF" in started


def test_a_server_that_runs_is_not_started_again(clock: FakeClock) -> None:
    shell = FakeShell().on("pgrep", say="7\n").on("ping", say=0)
    assert apply_change(shell, SERVER.start_standalone(30), silent) == "already"


def test_a_server_that_never_answers_is_told_with_its_log(clock: FakeClock) -> None:
    shell = FakeShell(otherwise="").on("ping", say=1)
    with pytest.raises(WaitExpired, match=r"mysql_safe\.log"):
        apply_change(shell, SERVER.start_standalone(30), silent)


def test_a_server_that_is_down_is_not_shut_down() -> None:
    shell = FakeShell().on("pgrep", say="")
    assert apply_change(shell, SERVER.shut_down(30), silent) == "already"
    assert shell.lines("mysqladmin") == []


def test_a_shutdown_is_over_when_the_process_is_gone(clock: FakeClock) -> None:
    shell = FakeShell().on("pgrep", say=["7\n", "7\n", "7\n", ""])
    shell.on("mysqladmin", "shutdown", say="")
    assert apply_change(shell, SERVER.shut_down(30), silent) == "done"
    assert len(shell.lines("mysqladmin")) == 1
    assert len(shell.lines("pgrep")) == 4


def test_roots_password_is_set_once() -> None:
    sql = root_password_sql(Version(10, 3), PASSWORD)
    shell = FakeShell().on("mysql", "--no-defaults", say="").on("mysql", "--batch", say=[1, 0])
    assert apply_change(shell, SERVER.set_root_password(sql), silent) == "done"
    assert apply_change(shell, SERVER.set_root_password(sql), silent) == "already"
    assert [ran.stdin for ran in shell.ran].count(sql) == 1


def changes() -> list[Change]:
    sql = root_password_sql(Version(10, 3), PASSWORD)
    return [
        SERVER.set_root_password(sql),
        SERVER.reset_root_password(sql),
        SERVER.create(),
        SERVER.start_standalone(1),
        SERVER.shut_down(1),
    ]


def test_no_password_is_in_the_words_of_any_command() -> None:
    for change in changes():
        for action in change.commands:
            shown = repr(action) + (action.line if isinstance(action, Command) else "")
            assert PASSWORD not in shown
            assert PASSWORD.encode().hex() not in shown


def test_moving_the_option_file_bears_being_done_twice() -> None:
    hide, restore = SERVER.move_option_file_away(), SERVER.restore_option_file()
    for change, source, target in ((hide, ".my.cnf", ".my.cnf.bck"), (restore, ".my.cnf.bck", ".my.cnf")):
        (line,) = change.shown
        assert f"[ ! -e /root/{source} ] || mv /root/{source} /root/{target}; [ -e /root/{target} ]" in line
