"""Grants are read as the server reads them: by statements, whatever their quotes, lines and letters."""

from __future__ import annotations

import gzip

import pytest

from tasks.database.access import Access, Account, Authentication, Level
from tasks.database.dumps import File
from tasks.database.grants import Grants, check_grants_file, parse_grants, read_grants
from tasks.database.statement_reader import NotUnderstood
from tests.unit.fakes import FakeShell

HASH = "*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B"
BY = f"IDENTIFIED BY PASSWORD '{HASH}'"
GRANTS = "GRANT USAGE ON *.* TO 'nova'@'%';\nGRANT ALL ON `nova`.* TO 'nova'@'%';\n"
NOVA = Account("nova", "%")


def file(data: bytes, size: int | None = None) -> File:
    return File("/root/grants.sql", len(data) if size is None else size, 0, "", "", data[:8])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (file(b"", -1), "do not exist"),
        (file(b""), "are empty"),
        (file(b"GRANT", 10 * 1024**3), "is this the dump?"),
        (file(gzip.compress(GRANTS.encode())), "are compressed; unpack it with `gunzip`"),
        (file(GRANTS.encode("utf-16")), "UTF-16"),
    ],
)
def test_a_file_that_can_not_be_read_as_grants_is_refused_by_name(given: File, said: str) -> None:
    check = check_grants_file("controller-0", given)
    assert not check.ok
    assert said in str(check)
    assert "/root/grants.sql" in str(check)


@pytest.mark.parametrize(
    "text",
    [
        GRANTS,
        GRANTS.rstrip(),
        f"{GRANTS}\n",
        f"{GRANTS}-- 1 account",
        f"{GRANTS}/* the end */\n",
        GRANTS.replace("\n", ""),
        GRANTS.replace(" TO ", "\n  TO "),
        GRANTS.replace("\n", "\r\n"),
        f"-- all accounts\nCREATE USER 'nova'@'%' {BY};\ngrant all on nova.* to nova@'%';",
        f"create user nova {BY.lower()};\nGRANT ALL PRIVILEGES ON nova.* TO nova;\n",
        "/*M!999999\\- enable the sandbox mode */\n-- MariaDB dump 10.19\n/*!40101 SET NAMES utf8mb4 */;\n"
        f"CREATE USER `nova`@`%` {BY};\n{GRANTS}/*M!100005 SET DEFAULT ROLE NONE FOR 'nova'@'%' */;\n"
        "/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n-- Dump completed on 2026-09-01\n",
        "DELIMITER |\nGRANT ALL ON nova.* TO nova@'%'|\nDELIMITER ;\n",
    ],
)
def test_whole_grants_are_taken_in_every_form(text: str) -> None:
    grants = parse_grants(text)
    assert grants.accounts == (NOVA,)
    assert grants.access[NOVA].privileges[Level("schema", "nova")] == {"ALL PRIVILEGES"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GRANTS[:-2], "line 2 begins what does not come to its end"),
        (GRANTS + "GRANT SELECT ON `x`.* TO 'n", "line 3 begins what does not come to its end"),
        (GRANTS + "/* ", "line 3 begins what does not come to its end"),
        ("SELECT 1;\n", "line 1 is no statement"),
        ("SET @x = 1;\n", "without a GRANT"),
        ("\n\n", "without a GRANT"),
        (f"{GRANTS}ERROR 1045 (28000): Access denied\n", "line 3 is no statement"),
        (f"Grants for nova@%;\n{GRANTS}", r"line 1 is no statement .* take them again with `mysql -N`"),
        (f"{GRANTS}Grants for heat@%;\n", "line 3 is no statement"),
        ("GRANT ALL ON nova.* TO nova@10.0.0.%;", r"line 1 names a host without quotes.*10\.0\.0\.%"),
        ("GRANT ALL ON nova.* TO nova@my-host.example;", "line 1 names a host without quotes"),
        ("GRANT ALL ON nova.* TO 'a'@'%'\nGRANT ALL ON nova.* TO 'b'@'%';", "is a semicolon missing"),
        ("GRANT ALL ON nova.*;", "line 1 grants to nobody"),
        ("CREATE TABLE `t` (`id` int);\nGRANT USAGE ON *.* TO a@b;", "creates something that is no account"),
    ],
)
def test_grants_that_no_server_would_load_whole_are_refused_by_their_line(text: str, said: str) -> None:
    with pytest.raises(NotUnderstood, match=said):
        parse_grants(text)


def test_what_is_wrong_with_a_line_says_nothing_of_a_password() -> None:
    with pytest.raises(NotUnderstood) as strange:
        read_grants(FakeShell().on("cat", say=f"{GRANTS}ERROR 1045 secret\n"), "/root/grants.sql")
    assert "secret" not in str(strange.value)


@pytest.mark.parametrize(
    ("line", "account"),
    [
        (f"GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' {BY} WITH GRANT OPTION;", Account("root", "localhost")),
        (f"GRANT USAGE ON *.* TO 'nova'@'%' {BY};", NOVA),
        ("GRANT SELECT ON `nova`.* TO `nova`@`172.17.0.%`;", Account("nova", "172.17.0.%")),
        ("GRANT SELECT ON x.* TO heat@'Controller-0.InternalAPI';", Account("heat", "controller-0.internalapi")),
        ("GRANT SELECT ON x.* TO nova@localhost;", Account("nova", "localhost")),
        ("GRANT SELECT ON x.* TO nova@10.0.0.1;", Account("nova", "10.0.0.1")),
        ("GRANT SELECT ON x.* TO 'nova'@\"%\";", NOVA),
        ("GRANT SELECT ON x.* TO 'nova' @ '%';", NOVA),
        ("GRANT USAGE ON *.* TO 'o''brien'@'%';", Account("o'brien", "%")),
        ("GRANT USAGE ON *.* TO `o'brien`@`%`;", Account("o'brien", "%")),
        ("CREATE USER 'a b'@'%' IDENTIFIED VIA mysql_native_password USING '*AA' OR unix_socket;", Account("a b", "%")),
        ("CREATE USER IF NOT EXISTS `x`@`::1`;", Account("x", "::1")),
        ("CREATE OR REPLACE USER x@'%' REQUIRE SSL WITH MAX_USER_CONNECTIONS 50;", Account("x", "%")),
        ("ALTER USER 'locked'@'%' ACCOUNT LOCK;", Account("locked", "%")),
        ("GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION;", Account("root", "localhost")),
        ("GRANT `reader` TO `nova`@`%`;", NOVA),
        ("GRANT USAGE ON *.* TO a@b; SET DEFAULT ROLE `reader` FOR `a`@`b`;", Account("a", "b")),
        ("grant usage on *.* to 'lower'@'case';", Account("lower", "case")),
        (f"GRANT SELECT ON x.* TO nova {BY};", NOVA),
    ],
)  # fmt: skip
def test_an_account_is_found_in_every_kind_of_statement(line: str, account: Account) -> None:
    assert parse_grants(line).accounts == (account,)


def test_several_statements_a_line_and_several_accounts_a_statement_are_all_found() -> None:
    text = f"CREATE USER 'nova'@'%' {BY};GRANT ALL ON `nova`.* TO 'nova'@'%', heat@'%';CREATE USER 'glance'@'%' {BY};"
    assert parse_grants(text).accounts == (Account("glance", "%"), Account("heat", "%"), NOVA)


@pytest.mark.parametrize(
    "more", ["FLUSH PRIVILEGES;", "SET @x = 1;", "CREATE ROLE `reader` WITH ADMIN 'root'@'localhost';",
             "DROP USER ''@'h';", "DROP USER IF EXISTS x@y;", "-- GRANT USAGE ON *.* TO 'gone'@'%';\n",
             "# GRANT USAGE ON *.* TO 'gone'@'%';\n", "USE mysql;", "GRANT SELECT ON nova.* TO PUBLIC;"],
)  # fmt: skip
def test_other_statements_and_comments_name_no_account(more: str) -> None:
    assert parse_grants(GRANTS + more).accounts == (NOVA,)


@pytest.mark.parametrize(
    ("text", "roles", "undefined"),
    [
        ("CREATE ROLE `reader`;\nGRANT `reader` TO `nova`@`%`;\n", ("reader",), ()),
        ("CREATE ROLE IF NOT EXISTS reader;\nGRANT reader TO 'nova'@'%';\n", ("reader",), ()),
        ("CREATE OR REPLACE ROLE x;\nGRANT `reader` TO `nova`@`%` WITH ADMIN OPTION;\n", ("x",), ("reader",)),
        ("GRANT reader TO 'nova'@'%';\nCREATE ROLE reader;\n", ("reader",), ()),
        ("GRANT USAGE ON *.* TO a@b;SET DEFAULT ROLE reader FOR 'nova'@'%';\n", (), ("reader",)),
        ("GRANT USAGE ON *.* TO a@b;SET DEFAULT ROLE NONE FOR 'nova'@'%';\n", (), ()),
        ("GRANT `app read` TO `nova`@`%`;", (), ("app read",)),
        ("GRANT USAGE ON *.* TO `reader`;\nGRANT SELECT ON `nova`.* TO `reader`;\n", (), ("reader",)),
        ("CREATE ROLE a, `b c`; GRANT a, `b c` TO `nova`@`%`;", ("a", "b c"), ()),
        (GRANTS, (), ()),
    ],
)
def test_roles_that_are_granted_or_granted_to_and_never_created_are_found(
    text: str, roles: tuple[str, ...], undefined: tuple[str, ...]
) -> None:
    grants = parse_grants(text)
    assert (grants.roles, grants.undefined_roles) == (roles, undefined)


def access(text: str, account: Account = NOVA) -> Access:
    return parse_grants(text).access[account]


@pytest.mark.parametrize(
    ("line", "level", "privileges"),
    [
        ("GRANT SELECT, insert ON *.* TO nova@'%' WITH GRANT OPTION;", Level("global"),
         {"SELECT", "INSERT", "GRANT OPTION"}),
        ("GRANT ALL PRIVILEGES ON `nova\\_cell0`.* TO nova@'%';", Level("schema", "nova\\_cell0"), {"ALL PRIVILEGES"}),
        ("GRANT SELECT (`host`, uuid), INSERT ON nova.`instances` TO nova@'%';", Level("table", "nova", "instances"),
         {"SELECT(host)", "SELECT(uuid)", "INSERT"}),
        ("GRANT SELECT ON TABLE nova.t TO nova@'%';", Level("table", "nova", "t"), {"SELECT"}),
        ("GRANT EXECUTE ON PROCEDURE `nova`.`p` TO nova@'%';", Level("procedure", "nova", "p"), {"EXECUTE"}),
        ("GRANT EXECUTE ON PACKAGE BODY nova.p TO nova@'%';", Level("package body", "nova", "p"), {"EXECUTE"}),
        ("GRANT BINLOG MONITOR, REPLICATION REPLICA ON *.* TO nova@'%';", Level("global"),
         {"REPLICATION CLIENT", "REPLICATION SLAVE"}),
        ("GRANT USAGE ON *.* TO nova@'%';", Level("global"), set()),
        ("USE nova; GRANT SELECT ON * TO nova@'%';", Level("schema", "nova"), {"SELECT"}),
        ("GRANT SELECT, INSERT ON x.* TO nova@'%'; REVOKE INSERT ON x.* FROM nova@'%';", Level("schema", "x"), {"SELECT"}),
    ],
)  # fmt: skip
def test_what_an_account_may_do_is_read_by_its_meaning(line: str, level: Level, privileges: set[str]) -> None:
    assert access(line).privileges[level] == privileges


@pytest.mark.parametrize(
    ("how", "logins"),
    [
        (BY, [("mysql_native_password", HASH)]),
        ("IDENTIFIED BY 'x'", [("mysql_native_password", "*B69027D44F6E5EDC07F1AEAD1477967B16F28227")]),
        ("IDENTIFIED VIA unix_socket", [("unix_socket", None)]),
        ("IDENTIFIED VIA ed25519 USING 'k' OR mysql_native_password USING PASSWORD('x')",
         [("ed25519", "k"), ("mysql_native_password", "*B69027D44F6E5EDC07F1AEAD1477967B16F28227")]),
        ("", []),
    ],
)  # fmt: skip
def test_how_an_account_logs_in_is_read(how: str, logins: list[tuple[str, str | None]]) -> None:
    assert access(f"CREATE USER nova@'%' {how};").logins == tuple(Authentication(*login) for login in logins)


def test_the_last_password_counts() -> None:
    text = f"GRANT USAGE ON *.* TO nova@'%' IDENTIFIED BY 'x'; SET PASSWORD FOR nova@'%' = '{HASH}';"
    assert access(text).logins == (Authentication("mysql_native_password", HASH),)


def test_backslashes_that_the_documented_command_doubles_are_undone() -> None:
    doubled = parse_grants("GRANT SELECT ON `nova\\\\_cell0`.* TO `report`@`%`;\n")
    single = parse_grants("GRANT SELECT ON `nova\\_cell0`.* TO `report`@`%`;\n")
    assert (doubled.doubled, single.doubled) == (True, False)
    assert doubled.access == single.access
    assert doubled.schemas == ("nova\\_cell0",)


def test_the_hashes_of_the_grants_are_not_shown() -> None:
    assert HASH not in repr(parse_grants(f"GRANT USAGE ON *.* TO 'nova'@'%' {BY};"))
    assert HASH not in repr(access(f"GRANT USAGE ON *.* TO 'nova'@'%' {BY};"))


def test_each_account_is_told_once() -> None:
    assert parse_grants(GRANTS * 2) == parse_grants(GRANTS)
    assert isinstance(parse_grants(GRANTS), Grants)
