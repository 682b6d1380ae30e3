"""What the grants granted is compared with what the server has on record."""

from __future__ import annotations

import pytest

from blocks.remote.errors import HostError, WaitExpired
from tasks.database.access import Level
from tasks.database.accounts import check_accounts, differences, missing_accounts
from tasks.database.grants import parse_grants
from tasks.database.mariadb import Server
from tasks.database.server_accounts import parse_server_accounts, read_server_accounts
from tasks.engine.step import apply_change
from tests.unit.fakes import FakeClock, FakeShell, silent

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")
HASH = "*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B"

# As `mysql --batch` prints it; a backslash is doubled.
USER = (
    "from_table\tHost\tUser\tPassword\tSelect_priv\tInsert_priv\tGrant_priv\tRepl_client_priv"
    "\tplugin\tauthentication_string\tdefault_role"
)
DB = "from_table\tHost\tDb\tUser\tSelect_priv\tInsert_priv\tGrant_priv"
TABLES = "from_table\tHost\tDb\tUser\tTable_name\tGrantor\tTimestamp\tTable_priv\tColumn_priv"
COLUMNS = "from_table\tHost\tDb\tUser\tTable_name\tColumn_name\tTimestamp\tColumn_priv"
PROCS = "from_table\tHost\tDb\tUser\tRoutine_name\tRoutine_type\tGrantor\tProc_priv\tTimestamp"
ROLES = "from_table\tHost\tUser\tRole\tAdmin_option"
NOVA = f"user\t%\tnova\t{HASH}\tN\tN\tN\tN\tmysql_native_password\t{HASH}\t"
ROOT = "user\tlocalhost\troot\t*NOW\tY\tY\tY\tY\tmysql_native_password\t*NOW\t"
RECORD = "\n".join([
    USER, NOVA, ROOT, "user\t\treader\t\tY\tN\tN\tN\t\t\t", "user\tctl-0.example\theat\t*H\tN\tN\tN\tY\t\t\treader",
    DB, "db\t%\tnova\\\\_cell0\tnova\tY\tY\tN",
    TABLES, "tables_priv\t%\tnova\tnova\tinstances\t\t\tInsert,Grant\tSelect",
    COLUMNS, "columns_priv\t%\tnova\tnova\tinstances\thost\t\tSelect",
    PROCS, "procs_priv\t%\tnova\tnova\tp\tPROCEDURE\t\tExecute\t",
    ROLES, "roles_mapping\tctl-0.example\theat\treader\tY",
])  # fmt: skip


def told(grants: str, missing_objects: frozenset[Level] = frozenset(), record: str = RECORD) -> list[str]:
    return differences(parse_server_accounts(record), parse_grants(grants), missing_objects)


@pytest.mark.parametrize(
    "grants",
    [
        f"GRANT USAGE ON *.* TO nova@'%' IDENTIFIED BY PASSWORD '{HASH.lower()}';",
        "GRANT ALL ON `nova\\_cell0`.* TO nova@'%';",
        "GRANT ALL ON `nova\\\\_cell0`.* TO nova@'%';",
        "GRANT SELECT (host), INSERT ON nova.instances TO nova@'%' WITH GRANT OPTION;",
        "GRANT EXECUTE ON PROCEDURE nova.p TO nova@'%';",
        "GRANT BINLOG MONITOR ON *.* TO heat@'CTL-0.example';",
        "GRANT reader TO heat@'ctl-0.example' WITH ADMIN OPTION; SET DEFAULT ROLE reader FOR heat@'ctl-0.example';",
        "CREATE ROLE reader; GRANT SELECT ON *.* TO reader;",
        "GRANT ALL ON *.* TO root@localhost IDENTIFIED BY PASSWORD '*OLD' WITH GRANT OPTION;",
        "GRANT READ_ONLY ADMIN ON *.* TO nova@'%';",
    ],
)
def test_an_account_that_may_do_what_was_granted_is_no_difference(grants: str) -> None:
    assert told(grants) == []


@pytest.mark.parametrize(
    ("grants", "said"),
    [
        ("GRANT SELECT ON nova_cell0.* TO nova@'%';", "'nova'@'%' has not on nova_cell0.*: SELECT"),
        ("GRANT SELECT, INSERT ON *.* TO nova@'%';", "'nova'@'%' has not on *.*: INSERT, SELECT"),
        ("GRANT ALL ON *.* TO nova@'%';", "'nova'@'%' has not on *.*: ALL PRIVILEGES"),
        ("GRANT ALL ON `nova\\_cell0`.* TO nova@'%' WITH GRANT OPTION;",
         "'nova'@'%' has not on nova\\_cell0.*: GRANT OPTION"),
        ("GRANT SELECT (uuid) ON nova.instances TO nova@'%';", "'nova'@'%' has not on nova.instances: SELECT(uuid)"),
        ("GRANT EXECUTE ON FUNCTION nova.p TO nova@'%';", "'nova'@'%' has not on function nova.p: EXECUTE"),
        ("GRANT writer TO nova@'%';", "'nova'@'%' has not the role writer"),
        ("GRANT USAGE ON *.* TO nova@'%'; SET DEFAULT ROLE reader FOR nova@'%';",
         "'nova'@'%' has not the default role reader"),
        ("CREATE ROLE reader; GRANT INSERT ON *.* TO reader;", "role reader has not on *.*: INSERT"),
        ("GRANT USAGE ON *.* TO nova@'%' IDENTIFIED BY 'other';",
         "'nova'@'%' logs in with something else than the grants say (another password, or another plugin)"),
        ("CREATE USER nova@'%' IDENTIFIED VIA unix_socket;",
         "'nova'@'%' logs in with something else than the grants say (another password, or another plugin)"),
    ],
)  # fmt: skip
def test_what_an_account_may_not_do_is_told(grants: str, said: str) -> None:
    assert told(grants) == [said]


def test_a_grant_on_what_the_dump_does_not_hold_is_no_difference() -> None:
    grants = "GRANT EXECUTE ON FUNCTION nova.f TO nova@'%';"
    assert told(grants, frozenset({Level("function", "nova", "f")})) == []


def test_no_hash_is_in_a_difference() -> None:
    assert HASH not in "".join(told("GRANT USAGE ON *.* TO nova@'%' IDENTIFIED BY 'other';"))
    assert HASH not in repr(parse_server_accounts(RECORD))


def server(record: str, objects: str = "") -> FakeShell:
    return (
        FakeShell()
        .on("mysql", "--batch", "--skip-column-names", say=objects)
        .on("mysql", "--batch", say=lambda asked: record if "from_table" in (asked.stdin or "") else objects)
    )


def test_accounts_and_roles_that_are_missing_or_anonymous_are_told() -> None:
    found = parse_server_accounts(f"{RECORD}\n{USER}\nuser\tlocalhost\t\t\tN\tN\tN\tN\t\t\t")
    grants = parse_grants("GRANT USAGE ON *.* TO nova@'%', nova@localhost; CREATE ROLE reader, writer;")
    assert missing_accounts(found, grants) == [
        "account 'nova'@'localhost' is missing",
        "role writer is missing",
        "anonymous account ''@'localhost' is there",
    ]


def test_a_server_that_lists_no_accounts_has_not_answered() -> None:
    with pytest.raises(HostError):
        read_server_accounts(server(""), SERVER)


def test_missing_accounts_fail_the_step(clock: FakeClock) -> None:
    with pytest.raises(WaitExpired, match=r"account 'heat'@'%' is missing"):
        apply_change(server(RECORD), check_accounts(SERVER, parse_grants("GRANT USAGE ON *.* TO heat@'%';")), silent)


def test_differences_are_told_after_the_step_and_do_not_end_it() -> None:
    grants = "GRANT SELECT ON nova.lost TO nova@'%'; GRANT SELECT ON nova.there TO nova@'%';"
    change = check_accounts(SERVER, parse_grants(grants))
    assert change.findings_after is not None
    said = change.findings_after(server(RECORD, "table\tnova\tthere\nprocedure\tnova\tp\n"))
    assert said == ["not as the grants say: 'nova'@'%' has not on nova.there: SELECT"]
