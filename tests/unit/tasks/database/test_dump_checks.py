"""A dump is judged before anything is stopped: one that is cut short loads with exit code 0."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tasks.database.dump_checks import check_dump_contents, check_dump_ends
from tasks.database.dumps import File
from tasks.database.mariadb import Version
from tests.unit.tasks.database.dump_text import FOOTER, header, read, schema, table

V10_3, V10_11 = Version(10, 3), Version(10, 11)


def dump(
    version: str = "10.3.28-MariaDB", first: str = "", last: str = "-- Dump completed on 2026-11-21 12:00:00\n"
) -> str:
    return (
        f"{first}-- MariaDB dump 10.17  Distrib {version}, for Linux (x86_64)\n--\n"
        f"-- Host: localhost    Database: keystone\n-- Server version\t{version}\n\n"
        f"CREATE TABLE `user` (`id` int);\nINSERT INTO `user` VALUES (1);\n{last}"
    )


def file(text: str | bytes, path: str = "/root/dump.sql") -> File:
    data = text.encode() if isinstance(text, str) else text
    head, tail = (part.decode(errors="replace") for part in (data[:4096], data[-4096:]))
    return File(path, len(data), 0, head, tail, data[:8])


MISSING = File("/root/dump.sql", -1, 0, "", "")


def end_reasons(dump: File, server: Version) -> list[str]:
    checks = check_dump_ends("controller-0", dump, server)
    return [str(check) for check in checks if not check.ok]


@pytest.mark.parametrize(
    ("text", "server"),
    [
        (dump(), V10_3),
        (dump("10.1.48-MariaDB"), V10_3),
        (dump("10.3.28-MariaDB-log"), V10_11),
        (dump("10.3.39-MariaDB"), Version(10, 3)),
        (dump("10.3.28-12-MariaDB-enterprise-log"), V10_3),
        (dump("5.5.5-10.3.28-MariaDB"), V10_3),
        (dump("10.11.8-MariaDB", first="/*!999999\\- enable the sandbox mode */ \n"), V10_11),
        (dump("10.11.8-MariaDB", first="/*M!999999\\- enable the sandbox mode */ \n"), V10_11),
        (dump(first="\ufeff"), V10_3),
        (dump(first="\n-- a comment of our own\n"), V10_3),
        (dump(last="-- Dump completed\n"), V10_3),
        (dump(last="-- Dump completed on 2026-11-21 12:00:00"), V10_3),
        (dump(last="-- Dump completed on 2026-11-21 12:00:00\n\n"), V10_3),
        (dump(last="-- Dump completed on 2026-11-21 12:00:00\r\n"), V10_3),
        (dump().replace("-- MariaDB dump", "-- MySQL dump"), V10_3),
        (dump().replace("VALUES (1)", "VALUES ('" + "x" * 10_000 + "')"), V10_3),
    ],
)
def test_a_whole_dump_of_the_same_or_an_older_server_is_taken(text: str, server: Version) -> None:
    assert end_reasons(file(text), server) == []


WARNING = "mysqldump: [Warning] Using a password on the command line interface can be insecure.\n"


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
        (file(dump(first=WARNING)), "line 1 is no comment and no SQL, but 'mysqldump: [Warning]"),
        (file(dump(first=f"\n\n{WARNING}")), "line 3 is no comment"),
        (file(dump(first="Emulate Docker CLI using podman.\n")), "line 1 is no comment"),
        (file(gzip.compress(dump().encode())), "compressed; unpack it with `gunzip`"),
        (file(b"\xfd7zXZ\x00\x00\x04..."), "compressed; unpack it with `unxz`"),
        (file(b"\x28\xb5\x2f\xfd..."), "compressed; unpack it with `unzstd`"),
        (file(b"BZh91AY..."), "compressed; unpack it with `bunzip2`"),
        (file(dump().encode("utf-16")), "UTF-16; convert it with `iconv"),
        (file(dump().encode("utf-16-le")), "UTF-16; convert it with `iconv"),
    ],
)
def test_any_other_dump_is_refused_by_name_for_the_one_reason_that_is_true(given: File, said: str) -> None:
    (reason,) = end_reasons(given, V10_3)
    assert said in reason
    assert "/root/dump.sql" in reason


def test_every_reason_is_told_at_once() -> None:
    assert len(end_reasons(file("PNG\x01\x02\x03 not a dump"), V10_3)) == 3
    assert len(end_reasons(file(dump("11.4.2-MariaDB", last="INS")), V10_3)) == 2


@pytest.mark.parametrize("text", ["\n", " \n\n"])
def test_a_file_of_white_space_is_refused(text: str) -> None:
    assert end_reasons(file(text), V10_3)


def content_reasons(folder: Path, text: str, server: Version | None = V10_3, knows_sandbox: bool = True) -> list[str]:
    checks = check_dump_contents("controller-0", file(text), read(folder, text), server, knows_sandbox)
    return [str(check) for check in checks if not check.ok]


SANDBOX = "/*!999999\\- enable the sandbox mode */ \n"


@pytest.mark.parametrize(
    "text",
    [
        header() + schema("nova") + FOOTER,
        header() + schema("nova", table("t", "")) + FOOTER,
        (header() + schema("nova") + FOOTER) * 3,
        header() + schema("mysql", table("user")) + FOOTER,
        header("10.3.28-12-MariaDB-enterprise") + schema("nova") + FOOTER,
        SANDBOX + header() + schema("nova") + FOOTER,
        header() + "CREATE DATABASE `nova`;\nCREATE TABLE `nova`.`t` (`id` int);\n" + FOOTER,
    ],
)
def test_a_dump_that_can_be_loaded_whole_is_taken(tmp_path: Path, text: str) -> None:
    assert content_reasons(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (header() + schema("keystone") + FOOTER + header() + schema("nova") + header() + schema("heat") + FOOTER,
         "which is 3 dumps in one file: that of nova at byte"),
        (header() + schema("keystone") + header() + schema("nova") + FOOTER, "that of keystone at byte 0 is cut short"),
        ((header() + schema("keystone"))[:-9] + header() + schema("nova") + FOOTER, "that of keystone at byte 0 is cut short"),
        (header() + table("user") + FOOTER, "names no database for its table user"),
        (header() + schema("nova") + FOOTER + header() + table("user") + FOOTER, "names no database for its table user"),
        (header() + "USE `nova`;\n" + table("t") + FOOTER, "uses nova without creating it"),
        (header() + schema("nova") + FOOTER + "mysqldump: [Warning] Using a password\n" + header() + schema("heat") + FOOTER,
         "a line is no SQL"),
        (header() + schema("nova") + "mysqldump: Got error: 1356: View is invalid\n" + FOOTER, "Got error: 1356"),
        (header() + FOOTER, "holds no table"),
        (header() + schema("nova") + FOOTER + header("10.11.6-MariaDB") + schema("heat") + FOOTER,
         "comes from MariaDB 10.11, newer than this server's 10.3"),
    ],
)  # fmt: skip
def test_a_dump_that_would_not_arrive_whole_is_refused_for_one_reason(tmp_path: Path, text: str, said: str) -> None:
    (reason,) = content_reasons(tmp_path, text)
    assert said in reason
    assert "/root/dump.sql" in reason


def test_the_servers_own_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    text = header() + schema("nova") + schema("mysql", table("user")) + FOOTER
    assert content_reasons(tmp_path, text, V10_3) == []
    (reason,) = content_reasons(tmp_path, text, V10_11)
    assert "server's own tables (schema mysql) of MariaDB 10.3, which this server's 10.11" in reason


@pytest.mark.parametrize("first", [SANDBOX, SANDBOX.replace("/*!", "/*M!")])
def test_a_line_for_newer_clients_is_refused_where_the_client_is_older(tmp_path: Path, first: str) -> None:
    text = header(first=first) + schema("nova") + FOOTER
    assert content_reasons(tmp_path, text, knows_sandbox=True) == []
    (reason,) = content_reasons(tmp_path, text, knows_sandbox=False)
    assert "sandbox mode" in reason
