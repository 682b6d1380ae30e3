"""The grants file has every account, also one that the server does not know, and is one that is read."""

from __future__ import annotations

import pytest

from blocks.remote.errors import HostError
from tasks.database.access import Account
from tasks.database.grants import parse_grants
from tasks.database.grants_dumping import parse_listed, read_grants_text, write_grants
from tasks.database.mariadb import Server
from tasks.database.server_accounts import parse_server_accounts
from tests.unit.fakes import FakeShell

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "backup-control-plane")
HASH = "*" + "A1" * 20
LISTED = (
    "role\treader\n"
    f"account\tnova\t%\tCREATE USER 'nova'@'%' IDENTIFIED BY PASSWORD '{HASH}' WITH MAX_USER_CONNECTIONS 0\n"
    "account\tnova\tctl-0.example\tCREATE USER 'nova'@'ctl-0.example' "
    f"IDENTIFIED BY PASSWORD '{HASH}' WITH MAX_USER_CONNECTIONS 20\n"
    "end\n"
)
SAID = (
    "GRANT USAGE ON *.* TO `reader`\naccount\t0\n"
    f"CREATE USER `nova`@`%` IDENTIFIED BY PASSWORD '{HASH}'\n"
    f"GRANT USAGE ON *.* TO `nova`@`%` IDENTIFIED BY PASSWORD '{HASH}'\n"
    r"GRANT SELECT ON `nova\\_api`.* TO `nova`@`%`"
    "\naccount\t1\nend\n"
)
ON_RECORD = (
    "from_table\tHost\tUser\tSelect_priv\tdefault_role\n"
    "user\t%\tnova\tN\treader\nuser\tctl-0.example\tnova\tY\t\nuser\tlocalhost\troot\tY\treader\n"
    "from_table\tHost\tDb\tUser\tSelect_priv\tGrant_priv\n"
    "db\tctl-0.example\tno`va\tnova\tY\tY\n"
    "from_table\tHost\tDb\tUser\tTable_name\tColumn_name\tColumn_priv\n"
    "columns_priv\tctl-0.example\tnova\tnova\tinstances\thost\tSelect\n"
    "from_table\tHost\tDb\tUser\tRoutine_name\tRoutine_type\tProc_priv\n"
    "procs_priv\tctl-0.example\tnova\tnova\tarchive\tPROCEDURE\tExecute\n"
    "from_table\tHost\tUser\tRole\tAdmin_option\n"
    "roles_mapping\tctl-0.example\tnova\treader\tY\n"
)


def text() -> str:
    listed = parse_listed(LISTED)
    assert listed is not None
    written = write_grants(listed, SAID, parse_server_accounts(ON_RECORD))
    assert written is not None
    return written


def test_accounts_come_first_then_what_they_may_do() -> None:
    assert text().splitlines() == [
        "CREATE OR REPLACE ROLE `reader`;",
        f"CREATE OR REPLACE USER `nova`@`%` IDENTIFIED BY PASSWORD '{HASH}';",
        f"CREATE OR REPLACE USER 'nova'@'ctl-0.example' IDENTIFIED BY PASSWORD '{HASH}' WITH MAX_USER_CONNECTIONS 20;",
        "GRANT USAGE ON *.* TO `reader`;",
        f"GRANT USAGE ON *.* TO `nova`@`%` IDENTIFIED BY PASSWORD '{HASH}';",
        r"GRANT SELECT ON `nova\_api`.* TO `nova`@`%`;",
        "GRANT `reader` TO `nova`@`ctl-0.example` WITH ADMIN OPTION;",
        "GRANT SELECT ON *.* TO `nova`@`ctl-0.example`;",
        "GRANT EXECUTE ON PROCEDURE `nova`.`archive` TO `nova`@`ctl-0.example`;",
        "GRANT SELECT ON `no``va`.* TO `nova`@`ctl-0.example` WITH GRANT OPTION;",
        "GRANT SELECT (`host`) ON `nova`.`instances` TO `nova`@`ctl-0.example`;",
        "SET DEFAULT ROLE `reader` FOR `nova`@`%`;",
    ]


def test_a_restore_reads_all_of_it() -> None:
    grants = parse_grants(text())
    assert grants.accounts == (Account("nova", "%"), Account("nova", "ctl-0.example"))
    assert (grants.roles, grants.undefined_roles, grants.doubled) == (("reader",), (), False)


def test_each_account_is_asked_for_by_itself_and_quoted() -> None:
    listed = parse_listed("account\to`dd\t10.%\tCREATE USER x\nend\n")
    assert listed is not None
    assert "SHOW CREATE USER `o``dd`@`10.%`; SHOW GRANTS FOR `o``dd`@`10.%`;" in listed.question
    assert "CREATE USER x" not in repr(listed), "it holds a password hash"


@pytest.mark.parametrize("answers", [["", "end\n"], [LISTED, SAID.removesuffix("end\n")]])
def test_an_answer_without_its_end_is_an_error_without_hashes(answers: list[str]) -> None:
    shell = FakeShell().on("mysql", "--batch", say=[*answers, ON_RECORD])
    with pytest.raises(HostError, match="did not list its accounts to the end") as raised:
        read_grants_text(shell, SERVER)
    assert HASH not in str(raised.value)


def test_a_client_that_fails_shows_nothing_that_it_has_printed() -> None:
    shell = FakeShell().on("mysql", "--force", say=[LISTED, SAID]).on("mysql", say=[LISTED, SAID, ON_RECORD])
    read_grants_text(shell, SERVER)
    asks = [ran for ran in shell.ran if "--force" in ran.words]
    assert len(asks) == 2
    assert all(1 in ran.ok and ran.quiet and not ran.changes for ran in asks)
