"""Dumps as mysqldump writes them."""

from __future__ import annotations

from pathlib import Path

from tasks.database.dump_contents import Contents, parse_contents
from tasks.database.dump_reading import read_dump
from tests.unit.fakes import LocalShell

FOOTER = "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\n-- Dump completed on 2026-09-01 02:00:01\n"


def header(version: str = "10.3.28-MariaDB", first: str = "") -> str:
    return f"{first}-- MariaDB dump 10.17  Distrib {version}, for Linux (x86_64)\n--\n-- Server version\t{version}\n\n"


def table(name: str, rows: str = "(1),(2)") -> str:
    insert = f"INSERT INTO `{name}` VALUES {rows};\n" if rows else ""  # noqa: S608 - a dump
    return f"DROP TABLE IF EXISTS `{name}`;\nCREATE TABLE `{name}` (\n  `id` int(11) NOT NULL\n);\n{insert}"


def schema(name: str, *tables: str) -> str:
    create = f"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{name}`;\n\nUSE `{name}`;\n\n"
    return f"--\n-- Current Database: `{name}`\n--\n\n{create}{''.join(tables or (table('t'),))}"


def read(folder: Path, text: str | bytes, shell: LocalShell | None = None) -> Contents:
    dump = folder / "dump.sql"
    dump.write_bytes(text.encode() if isinstance(text, str) else text)
    return parse_contents(read_dump(shell or LocalShell(), str(dump)))
