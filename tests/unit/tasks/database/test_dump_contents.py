"""What is in a dump is read in one pass, and what can't be loaded whole is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.errors import HostError
from tasks.database import dump_reading
from tasks.database.dump_contents import Contents, contents, why_not_contents
from tasks.database.dump_reading import read_dump
from tasks.database.mariadb import Version
from tests.unit.fakes import FakeShell, LocalShell

V10_3, V10_11 = Version(10, 3), Version(10, 11)
FOOTER = "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\n-- Dump completed on 2026-09-01 02:00:01\n"


def header(version: str = "10.3.28-MariaDB", first: str = "") -> str:
    return f"{first}-- MariaDB dump 10.17  Distrib {version}, for Linux (x86_64)\n--\n-- Server version\t{version}\n\n"


def table(name: str, rows: str = "(1),(2)") -> str:
    insert = f"INSERT INTO `{name}` VALUES {rows};\n" if rows else ""  # noqa: S608 - a dump
    return f"DROP TABLE IF EXISTS `{name}`;\nCREATE TABLE `{name}` (\n  `id` int(11) NOT NULL\n);\n{insert}"


def schema(name: str, *tables: str) -> str:
    create = f"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{name}`;\n\nUSE `{name}`;\n\n"
    return f"--\n-- Current Database: `{name}`\n--\n\n{create}{''.join(tables or (table('t'),))}"


PROGRAMS = """\
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER neutron.log_new_port AFTER INSERT ON ports
INSERT INTO log VALUES (1) */;;
DELIMITER ;
DELIMITER ;;
/*!50106 CREATE*/ /*!50117 DEFINER=`a`@`event x`*/ /*!50106 EVENT `purge` ON SCHEDULE EVERY 1 DAY DO BEGIN
INSERT INTO `of_event` VALUES (1);
END */ ;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` FUNCTION `vcpus_of`(project VARCHAR(255)) RETURNS int(11)
RETURN 1 ;;
DELIMITER ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `event`()
BEGIN
CREATE TABLE `of_body` (`id` int);
CREATE TEMPORARY TABLE `t9` (`id` int);
INSERT INTO `of_body` VALUES (1);
USE `elsewhere`;
-- MariaDB dump 10.17
-- Current Database: `of_body`
-- Dump completed on never
mysqldump: Got error: 1
END ;;
DELIMITER ;
"""
VIEWS = """\
/*!50001 CREATE VIEW `active` AS SELECT
 1 AS `uuid` */;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `per_host` AS select 1 */;
"""


def read(folder: Path, text: str | bytes, shell: LocalShell | None = None) -> Contents:
    dump = folder / "dump.sql"
    dump.write_bytes(text.encode() if isinstance(text, str) else text)
    return contents(read_dump(shell or LocalShell(), str(dump)))


def test_schemas_tables_and_rows_are_found(tmp_path: Path) -> None:
    found = read(tmp_path, header() + schema("nova", table("a"), table("b", "")) + schema("heat``x") + FOOTER)
    assert {name: held.tables for name, held in found.schemas.items()} == {"nova": {"a": 1, "b": 0}, "heat`x": {"t": 1}}
    assert (found.tables, found.rows, len(found.pieces), found.odd_marks) == (3, 2, 1, False)
    assert (found.pieces[0].whole, found.pieces[0].version) == (True, V10_3)


def test_views_routines_triggers_events_and_sequences_are_found_and_what_their_bodies_hold_is_not(
    tmp_path: Path,
) -> None:
    sequence = "CREATE SEQUENCE `ids` start with 1;\nSELECT SETVAL(`ids`, 1, 0);\n"
    found = read(tmp_path, header() + schema("neutron", table("ports"), sequence, PROGRAMS, VIEWS) + FOOTER)
    held = found.schemas["neutron"]
    assert set(found.schemas) == {"neutron"}
    assert held.tables == {"ports": 1, "ids": 0}
    assert held.triggers == {"log_new_port"}
    assert held.events == {"purge"}
    assert held.routines == {"vcpus_of", "event"}
    assert held.views == {"active", "per_host"}
    assert len(found.pieces) == 1
    assert found.foreign == []


@pytest.mark.parametrize("rows", ["one line", "a line each", "a statement each"])
def test_rows_that_look_like_statements_are_none_however_they_are_written(tmp_path: Path, rows: str) -> None:
    data = [
        r"(1,'\n-- Dump completed\nUSE `x`;')",
        r"(2,'-- Current Database: `y`')",
        "(3,'INSERT INTO `z` VALUES (1);')",
    ]
    text = {
        "one line": f"INSERT INTO `t` VALUES {','.join(data)};\n",  # noqa: S608 - a dump
        "a line each": "INSERT INTO `t` VALUES\n" + ",\n".join(data) + ";\n",
        "a statement each": "".join(f"INSERT INTO `t` VALUES {row};\n" for row in data),  # noqa: S608 - a dump
    }[rows]
    found = read(tmp_path, header() + schema("nova", table("t", ""), text) + schema("heat") + FOOTER)
    assert found.schemas["nova"].tables == {"t": 3 if rows == "a statement each" else 1}
    assert list(found.schemas) == ["nova", "heat"]
    assert (len(found.marks), found.odd_marks) == (2, False)


@pytest.mark.parametrize(
    "insert", ["INSERT  IGNORE INTO `t` VALUES (1)", "REPLACE  INTO `t` VALUES (1)", "INSERT INTO `t` (`id`) VALUES (1)",
               "INSERT INTO nova.t VALUES (1)", "INSERT INTO `nova`.`t` VALUES\n(1)"],
)  # fmt: skip
def test_every_form_of_insert_counts(tmp_path: Path, insert: str) -> None:
    found = read(tmp_path, header() + schema("nova", table("t", ""), f"{insert};\n") + FOOTER)
    assert found.schemas["nova"].tables == {"t": 1}


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_a_dump_with_the_line_ends_of_a_terminal_is_read_as_well(tmp_path: Path, ending: str) -> None:
    text = header() + schema("neutron", table("t"), PROGRAMS) + schema("heat") + FOOTER
    found = read(tmp_path, text.replace("\n", ending))
    assert set(found.schemas) == {"neutron", "heat"}
    assert found.schemas["neutron"].events == {"purge"}
    assert found.odd_marks is (ending == "\r\n"), "as it is, since nobody has tried it in parts"


@pytest.mark.parametrize(("memory", "exact"), [(96 * 1024, True), (16 * 1024, False)])
def test_a_line_too_long_for_memory_leaves_the_dump_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int, exact: bool
) -> None:
    monkeypatch.setattr(dump_reading, "_AWK_MEMORY_KIB", 8 * 1024)
    monkeypatch.setattr(dump_reading, "_MEMORY_KIB", memory)
    long = table("t", f"('{'x' * 12_000_000}')")
    found = read(tmp_path, header() + schema("nova", long, table("u")) + schema("heat", table("v", "")) + FOOTER)
    assert {name: held.tables for name, held in found.schemas.items()} == {"nova": {"t": 1, "u": 1}, "heat": {"v": 0}}
    assert found.pieces[0].whole
    assert found.odd_marks is not exact


def test_bytes_that_are_no_utf_8_do_not_end_the_reading(tmp_path: Path) -> None:
    rows = b"INSERT INTO `t` VALUES (_binary '\xff\xfe\x80 \\0\x01');\n"
    text = header().encode() + schema("nova", table("t", "")).encode() + rows + schema("heat").encode()
    assert read(tmp_path, text + FOOTER.encode()).rows == 2


def test_a_dump_that_can_not_be_read_is_an_error_of_the_host(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be read to its end"):
        read_dump(FakeShell().on("first_insert", say="exact\n0\tB\t-- MariaDB dump\n"), "/root/dump.sql")


def reasons(folder: Path, text: str, server: Version | None = V10_3, knows_sandbox: bool = True) -> list[str]:
    return why_not_contents("/root/dump.sql", read(folder, text), server, knows_sandbox)


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
    assert reasons(tmp_path, text) == []


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
    (reason,) = reasons(tmp_path, text)
    assert said in reason
    assert "/root/dump.sql" in reason


def test_the_servers_own_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    text = header() + schema("nova") + schema("mysql", table("user")) + FOOTER
    assert reasons(tmp_path, text, V10_3) == []
    (reason,) = reasons(tmp_path, text, V10_11)
    assert "server's own tables (schema mysql) of MariaDB 10.3, which this server's 10.11" in reason


@pytest.mark.parametrize("first", [SANDBOX, SANDBOX.replace("/*!", "/*M!")])
def test_a_line_for_newer_clients_is_refused_where_the_client_is_older(tmp_path: Path, first: str) -> None:
    text = header(first=first) + schema("nova") + FOOTER
    assert reasons(tmp_path, text, knows_sandbox=True) == []
    (reason,) = reasons(tmp_path, text, knows_sandbox=False)
    assert "sandbox mode" in reason
