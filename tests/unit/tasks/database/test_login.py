"""Root's password is tried without being shown to anybody on the host."""

import pytest

from tasks.database.login import accepts_options, accepts_password, options_with
from tasks.database.mariadb import Server
from tests.unit.fakes import FakeShell

SERVER = Server("mysql", "/var/lib/mysql", "/root/.my.cnf", "backup-undercloud")
PASSWORD = 'q"uo\\te'


@pytest.mark.parametrize(("code", "accepted"), [(0, True), (1, False), (125, False)])
def test_the_server_is_asked(code: int, accepted: bool) -> None:
    shell = FakeShell().on("SELECT 1", say=code)
    assert accepts_options(shell, SERVER) is accepted
    assert accepts_password(shell, SERVER, PASSWORD) is accepted
    assert not any(one.changes for one in shell.ran)


def test_the_password_is_in_no_word_and_in_no_plan() -> None:
    shell = FakeShell().on("SELECT 1", say=0)
    accepts_password(shell, SERVER, PASSWORD)
    (asked,) = shell.ran
    assert "uo" not in " ".join(asked.words)
    assert PASSWORD not in asked.shown
    assert PASSWORD not in repr(asked)
    assert asked.stdin == options_with(PASSWORD)


def test_quotes_and_backslashes_are_escaped() -> None:
    assert options_with(PASSWORD) == '[client]\npassword="q\\"uo\\\\te"\n'
