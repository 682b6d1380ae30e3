"""What is in a dump is read in one pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.errors import HostError
from tasks.database import dump_reading
from tasks.database.dump_reading import read_dump
from tasks.database.mariadb import Version
from tests.unit.fakes import FakeShell
from tests.unit.tasks.database.dump_text import FOOTER, header, read, schema, table

V10_3 = Version(10, 3)


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


def test_schemas_tables_and_rows_are_found(tmp_path: Path) -> None:
    found = read(tmp_path, header() + schema("nova", table("a"), table("b", "")) + schema("heat``x") + FOOTER)
    assert {name: held.tables for name, held in found.schemas.items()} == {"nova": {"a": 1, "b": 0}, "heat`x": {"t": 1}}
    assert (found.tables, found.rows, len(found.pieces), found.ambiguous_markers) == (3, 2, 1, False)
    assert (found.pieces[0].complete, found.pieces[0].version) == (True, V10_3)


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
    assert found.non_sql_lines == []


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
    assert (len(found.database_markers), found.ambiguous_markers) == (2, False)


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
    assert found.ambiguous_markers is (ending == "\r\n"), "as it is, since nobody has tried it in parts"


@pytest.mark.parametrize(("memory", "exact"), [(96 * 1024, True), (16 * 1024, False)])
def test_a_line_too_long_for_memory_leaves_the_dump_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int, exact: bool
) -> None:
    monkeypatch.setattr(dump_reading, "_AWK_MEMORY_KIB", 8 * 1024)
    monkeypatch.setattr(dump_reading, "_MEMORY_KIB", memory)
    long = table("t", f"('{'x' * 12_000_000}')")
    found = read(tmp_path, header() + schema("nova", long, table("u")) + schema("heat", table("v", "")) + FOOTER)
    assert {name: held.tables for name, held in found.schemas.items()} == {"nova": {"t": 1, "u": 1}, "heat": {"v": 0}}
    assert found.pieces[0].complete
    assert found.ambiguous_markers is not exact


def test_bytes_that_are_no_utf_8_do_not_end_the_reading(tmp_path: Path) -> None:
    rows = b"INSERT INTO `t` VALUES (_binary '\xff\xfe\x80 \\0\x01');\n"
    text = header().encode() + schema("nova", table("t", "")).encode() + rows + schema("heat").encode()
    assert read(tmp_path, text + FOOTER.encode()).rows == 2


def test_a_dump_that_can_not_be_read_is_an_error_of_the_host(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be read to its end"):
        read_dump(FakeShell().on("first_insert", say="exact\n0\tB\t-- MariaDB dump\n"), "/root/dump.sql")
