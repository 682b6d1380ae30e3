"""A dump is judged before anything is stopped: one cut short loads with exit code 0, and rows are missing."""

from pathlib import Path

import pytest

from blocks.remote.errors import HostError, Refused, WaitExpired
from tasks.database.dumps import (
    Account,
    File,
    Grants,
    check_accounts,
    copy_in,
    missing_accounts,
    parse_grants,
    read_file,
    read_grants,
    remove_words,
    why_not_dump,
    why_not_grants,
)
from tasks.database.mariadb import Server, Version
from tasks.engine.step import apply_change
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")
V10_3, V10_11 = Version(10, 3), Version(10, 11)


def dump(
    version: str = "10.3.28-MariaDB", first: str = "", last: str = "-- Dump completed on 2026-11-21 12:00:00\n"
) -> str:
    return (
        f"{first}-- MariaDB dump 10.17  Distrib {version}, for Linux (x86_64)\n--\n"
        f"-- Host: localhost    Database: keystone\n-- Server version\t{version}\n\n"
        f"CREATE TABLE `user` (`id` int);\nINSERT INTO `user` VALUES (1);\n{last}"
    )


def file(text: str, path: str = "/root/dump.sql") -> File:
    return File(path, len(text.encode()), 0, text[:4096], text[-4096:])


MISSING = File("/root/dump.sql", -1, 0, "", "")


@pytest.mark.parametrize(
    ("text", "server"),
    [
        (dump(), V10_3),
        (dump("10.1.48-MariaDB"), V10_3),
        (dump("10.3.28-MariaDB-log"), V10_11),
        (dump("10.3.39-MariaDB"), Version(10, 3)),
        (dump("10.11.8-MariaDB", first="/*!999999\\- enable the sandbox mode */ \n"), V10_11),
        (dump("10.11.8-MariaDB", first="/*M!999999\\- enable the sandbox mode */ \n"), V10_11),
        (dump(last="-- Dump completed\n"), V10_3),
        (dump(last="-- Dump completed on 2026-11-21 12:00:00"), V10_3),
        (dump(last="-- Dump completed on 2026-11-21 12:00:00\n\n"), V10_3),
        (dump().replace("-- MariaDB dump", "-- MySQL dump"), V10_3),
        (dump().replace("VALUES (1)", "VALUES ('" + "x" * 10_000 + "')"), V10_3),
    ],
)
def test_a_whole_dump_of_the_same_or_an_older_server_is_taken(text: str, server: Version) -> None:
    assert why_not_dump(file(text), server) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (MISSING, "does not exist"),
        (file(""), "is empty"),
        (file(dump(last="")), "is cut short"),
        (file(dump(last="INSERT INTO `user` VALU")), "is cut short"),
        (file(dump(last="INSERT INTO `x` VALUES ('-- Dump completed');\n")), "is cut short"),
        (file(dump("10.11.6-MariaDB")), "comes from MariaDB 10.11, newer than this server's 10.3"),
        (file(dump("11.4.2-MariaDB")), "newer than this server's 10.3"),
        (file(dump("8.0.30")), "does not say which server it comes from"),
        (file("SELECT 1;\n-- Server version\t10.3.28-MariaDB\n-- Dump completed\n"), "does not begin as mysqldump"),
    ],
)
def test_any_other_dump_is_refused_by_name(given: File, said: str) -> None:
    (reason,) = why_not_dump(given, V10_3)
    assert said in reason
    assert "/root/dump.sql" in reason


def test_every_reason_is_told_at_once() -> None:
    assert len(why_not_dump(file("PNG\x00\x01\x02 not a dump"), V10_3)) == 3
    assert len(why_not_dump(file(dump("11.4.2-MariaDB", last="INS")), V10_3)) == 2


@pytest.mark.parametrize("text", ["\n", " \n\n"])
def test_a_file_of_white_space_is_refused(text: str) -> None:
    assert why_not_dump(file(text), V10_3)


GRANTS = "GRANT USAGE ON *.* TO 'nova'@'%';\nGRANT ALL ON `nova`.* TO 'nova'@'%';\n"


@pytest.mark.parametrize(
    "text",
    [
        GRANTS,
        "-- all accounts\nCREATE USER 'nova'@'%' IDENTIFIED BY PASSWORD '*AA';\n",
        "CREATE ROLE `reader`;\n",
        f"{GRANTS}\n",
    ],
)
def test_whole_grants_are_taken(text: str) -> None:
    assert why_not_grants(file(text)) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (MISSING, "do not exist"),
        (file(""), "are empty"),
        (file(GRANTS[:-2]), "are cut short"),
        (file(GRANTS + "GRANT SELECT ON `x`.* TO 'n"), "are cut short"),
        (file(GRANTS.rstrip()), "are cut short"),
        (file("\n\n"), "are cut short"),
        (file("SELECT 1;\n"), "hold no GRANT"),
    ],
)
def test_any_other_grants_are_refused_by_name(given: File, said: str) -> None:
    (reason,) = why_not_grants(given)
    assert said in reason
    assert "/root/dump.sql" in reason


def test_both_ends_of_a_real_file_are_read(here: LocalShell, tmp_path: Path) -> None:
    path = tmp_path / "a dump's name.sql"
    path.write_text(text := "a" * 4000 + "é" * 5000 + "z" * 4095 + "\n")
    seen = read_file(here, str(path))
    assert (seen.size, seen.modified) == (len(text.encode()), int(path.stat().st_mtime))
    assert seen.head.startswith("a" * 4000 + "é")
    assert seen.tail == "z" * 4095 + "\n"


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
    one = File("/d", 10, 100, "", "")
    assert len({one.fingerprint, File("/d", 11, 100, "", "").fingerprint, File("/d", 10, 101, "", "").fingerprint}) == 3


@pytest.mark.parametrize(
    ("line", "account"),
    [
        ("GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' IDENTIFIED BY PASSWORD '*81F5E21E' WITH GRANT OPTION;",
         Account("root", "localhost")),
        ("GRANT USAGE ON *.* TO 'nova'@'%' IDENTIFIED BY PASSWORD '*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B';",
         Account("nova", "%")),
        ("GRANT SELECT ON `nova`.* TO `nova`@`172.17.0.%`;", Account("nova", "172.17.0.%")),
        ("GRANT SELECT ON `x`.* TO 'heat'@'overcloud-controller-0.internalapi.localdomain';",
         Account("heat", "overcloud-controller-0.internalapi.localdomain")),
        ("CREATE USER 'a b'@'%' IDENTIFIED VIA mysql_native_password USING '*AA' OR unix_socket;", Account("a b", "%")),
        ("CREATE USER IF NOT EXISTS `x`@`::1`;", Account("x", "::1")),
        ("ALTER USER 'locked'@'%' ACCOUNT LOCK;", Account("locked", "%")),
        ("GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION;", Account("root", "localhost")),
        ("GRANT `reader` TO `nova`@`%`;", Account("nova", "%")),
        ("SET DEFAULT ROLE `reader` FOR `nova`@`%`;", Account("nova", "%")),
        ("grant usage on *.* to 'lower'@'case';", Account("lower", "case")),
    ],
)  # fmt: skip
def test_an_account_is_found_in_every_kind_of_statement(line: str, account: Account) -> None:
    assert parse_grants(line).accounts == (account,)


def test_each_account_is_told_once() -> None:
    assert parse_grants(GRANTS).accounts == (Account("nova", "%"),)


@pytest.mark.parametrize(
    "line",
    [
        "FLUSH PRIVILEGES;",
        "",
        "SET @x = 1;",
        "CREATE ROLE `reader` WITH ADMIN 'root'@'localhost';",
        "DROP USER ''@'h';",
    ],
)
def test_other_statements_name_no_account(line: str) -> None:
    assert parse_grants(line).accounts == ()


@pytest.mark.parametrize("mark", ["--", "#"])
def test_a_comment_names_no_account(mark: str) -> None:
    assert parse_grants(f"{mark} GRANT USAGE ON *.* TO 'gone'@'%';\n").accounts == ()


@pytest.mark.parametrize(
    ("text", "roles", "undefined"),
    [
        ("CREATE ROLE `reader`;\nGRANT `reader` TO `nova`@`%`;\n", ("reader",), ()),
        ("CREATE ROLE IF NOT EXISTS reader;\nGRANT reader TO 'nova'@'%';\n", ("reader",), ()),
        ("CREATE OR REPLACE ROLE x;\nGRANT `reader` TO `nova`@`%` WITH ADMIN OPTION;\n", ("x",), ("reader",)),
        ("GRANT reader TO 'nova'@'%';\nCREATE ROLE reader;\n", ("reader",), ()),
        ("SET DEFAULT ROLE reader FOR 'nova'@'%';\n", (), ("reader",)),
        ("SET DEFAULT ROLE NONE FOR 'nova'@'%';\n", (), ()),
        (GRANTS, (), ()),
    ],
)
def test_roles_that_are_granted_and_never_created_are_found(
    text: str, roles: tuple[str, ...], undefined: tuple[str, ...]
) -> None:
    grants = parse_grants(text)
    assert (grants.roles, grants.undefined_roles) == (roles, undefined)


def test_the_hashes_of_the_grants_are_not_kept() -> None:
    grants = parse_grants(
        "GRANT USAGE ON *.* TO 'nova'@'%' IDENTIFIED BY PASSWORD '*81F5E21E35407D884A6CD4A731AEBFB6';"
    )
    assert "81F5E21E" not in repr(grants)


def test_a_line_that_is_no_statement_of_a_grants_file_is_refused_by_its_number() -> None:
    with pytest.raises(Refused, match=r"/root/grants\.sql: line 2 is no statement") as refused:
        read_grants(
            FakeShell().on("cat", say="GRANT USAGE ON *.* TO 'a'@'%';\nERROR 1045 secret\n"), "/root/grants.sql"
        )
    assert "secret" not in str(refused.value)


WANTED = Grants((Account("nova", "%"), Account("root", "localhost")), (), ())


def accounts(*rows: str) -> FakeShell:
    return FakeShell().on("mysql", "--batch", say="".join(f"{row}\n" for row in rows))


def test_all_accounts_of_the_grants_are_there() -> None:
    assert (
        missing_accounts(accounts("nova\t%", "root\tlocalhost", "reader\t", "mariadb.sys\tlocalhost"), SERVER, WANTED)
        == []
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("root\tlocalhost",), "account 'nova'@'%' is missing"),
        (("root\tlocalhost", "nova\tlocalhost"), "account 'nova'@'%' is missing"),
        (("root\tlocalhost", "nova\t%", "\tlocalhost"), "anonymous account ''@'localhost' is there"),
    ],
)
def test_an_account_that_is_missing_or_anonymous_is_told(rows: tuple[str, ...], said: str) -> None:
    assert missing_accounts(accounts(*rows), SERVER, WANTED) == [said]


def test_a_server_that_lists_no_accounts_has_not_answered() -> None:
    with pytest.raises(HostError):
        missing_accounts(accounts(), SERVER, WANTED)


def test_missing_accounts_fail_the_step(clock: FakeClock) -> None:
    with pytest.raises(WaitExpired, match=r"account 'nova'@'%' is missing"):
        apply_change(accounts("root\tlocalhost"), check_accounts(SERVER, WANTED), silent)


def test_the_copies_are_readable_by_root_alone_and_removed_by_their_names() -> None:
    assert copy_in("/var/lib/mysql", "/home/heat-admin/d.sql", "/home/heat-admin/g.sql").shown == [
        "sudo install -m 600 /home/heat-admin/d.sql /var/lib/mysql/d.sql",
        "sudo install -m 600 /home/heat-admin/g.sql /var/lib/mysql/g.sql",
    ]
    assert remove_words("/var/lib/mysql", "/home/heat-admin/d.sql", "/home/heat-admin/g.sql") == (
        *("rm", "-f", "--"),
        *("/var/lib/mysql/d.sql", "/var/lib/mysql/g.sql"),
    )
