"""Accounts and roles of a real server become those of a backup again, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed
from tasks.database.account_replacing import keep_accounts, replace_accounts, replacing_sql, statements_of
from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_accounts
from tasks.database.grants_dumping import read_grants_text
from tests.database.local_server import LocalServer
from tests.database.sample import SAMPLE
from tests.unit.fakes import silent

EVERY = ("'nova'@'%'", "'nova'@'ctl-0.example.com'", "'locked'@'192.168.24.%'", "role reader", "role auditor")
CHANGED = """
ALTER USER 'nova'@'%' IDENTIFIED BY 'another';
GRANT DROP ON *.* TO 'nova'@'%';
GRANT DELETE ON nova.* TO reader;
CREATE ROLE of_today;
GRANT of_today TO reader;
REVOKE PROCESS ON *.* FROM 'locked'@'192.168.24.%';
DROP USER 'nova'@'ctl-0.example.com';
CREATE USER 'of_today'@'%' IDENTIFIED BY 'x';
GRANT reader TO 'of_today'@'%';
"""


@pytest.fixture
def server(target: LocalServer) -> LocalServer:
    target.empty()
    target.sql(SAMPLE)
    return target


def differences(server: LocalServer, before: object) -> list[str]:
    return [str(each) for each in compare(before, read_accounts(server.shell, server.server)).differences]  # type: ignore[arg-type]


def test_what_was_changed_is_as_in_the_backup_and_all_else_as_it_was(server: LocalServer) -> None:
    before = read_accounts(server.shell, server.server)
    text = read_grants_text(server.shell, server.server)
    server.sql(CHANGED)
    assert len({each.split(":")[0] for each in differences(server, before)}) == 6
    there = read_accounts(server.shell, server.server).accounts
    for _ in range(2):
        replace_accounts(server.server, replacing_sql(text, EVERY, there)).perform(server.shell, silent)
        assert differences(server, before) == [
            "account 'of_today'@'%': is there, and was not backed up",
            "role of_today: is there, and was not backed up",
        ]
    assert "reader" in server.sql("SELECT role FROM mysql.roles_mapping WHERE user = 'of_today'")


def test_accounts_that_are_not_chosen_stay(server: LocalServer) -> None:
    before = read_accounts(server.shell, server.server)
    text = read_grants_text(server.shell, server.server)
    server.sql(CHANGED)
    changed = differences(server, before)
    replace_accounts(server.server, replacing_sql(text, ["'nova'@'%'"], before.accounts)).perform(server.shell, silent)
    assert differences(server, before) == [each for each in changed if "'nova'@'%'" not in each]


def test_each_statement_has_its_account(server: LocalServer) -> None:
    text = read_grants_text(server.shell, server.server)
    told = {str(account) for account, _ in statements_of(text)}
    assert told == set(EVERY)
    assert [line for _, line in statements_of(text)] == text.splitlines()


def test_statements_that_did_not_arrive_whole_are_not_run(server: LocalServer) -> None:
    before = read_accounts(server.shell, server.server)
    command = replace_accounts(server.server, "CREATE OR REPLACE USER 'nova'@'%' IDENTIFIED BY 'x';")
    cut = server.shell.call(command.words, b"CREATE OR REPLACE USER 'nova'@'%'")
    assert cut.returncode == 65
    assert differences(server, before) == []


def test_an_account_that_can_not_be_made_keeps_none_of_the_others(server: LocalServer) -> None:
    text = read_grants_text(server.shell, server.server)
    before = read_accounts(server.shell, server.server)
    server.sql("DROP TABLE nova.faults, nova.instances; DROP USER 'nova'@'%', 'locked'@'192.168.24.%'")
    replace_accounts(server.server, replacing_sql(text, EVERY, {})).perform(server.shell, silent)
    assert {each.split(": ")[0] for each in differences(server, before)} <= {"account 'locked'@'192.168.24.%'"}


def test_what_is_kept_is_readable_by_root_alone_and_not_written_twice(server: LocalServer, tmp_path: Path) -> None:
    file = tmp_path / "kept" / "accounts.sql"
    for text in ("first", "second"):
        keep_accounts(str(file), text).perform(server.shell, silent)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("first", 0o600)
    file.unlink()
    with pytest.raises(CommandFailed):
        server.shell.run(replace(keep_accounts(str(file), "all of it"), stdin="half"))
    assert not file.exists()
