"""A dump of several databases is loaded by several clients at once, and comes to the same."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from blocks.remote.units import LongCommand
from blocks.remote.waiting import wait_until
from tasks.database import dump_reading, dumps, importing
from tasks.database.dump_contents import parse_contents
from tasks.database.dump_parts import Parts, parse_parts
from tasks.database.dump_reading import read_dump
from tasks.database.mariadb import Server
from tests.unit.fakes import LocalShell

# MariaDB's own has a space at the end of its first line.
HEADER = """\
/*M!999999\\- enable the sandbox mode */ {}
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: keystone
-- ------------------------------------------------------
-- Server version\t10.11.6-MariaDB

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;

--
""".replace("{}", "")
FOOTER = "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\n-- Dump completed on 2026-11-26 12:00:00\n"


def tables(name: str, rows: str = "row\\n\\0'ö'", size: int = 0) -> str:
    return (
        f"-- Current Database: `{name}`\n--\n\nCREATE DATABASE /*!32312 IF NOT EXISTS*/ `{name}`;\n\nUSE `{name}`;\n"
        f"INSERT INTO `t` VALUES ('{rows}{'x' * size}');\n--\n"
    )


def views(name: str) -> str:
    return f"-- Current Database: `{name}`\n--\n\nUSE `{name}`;\n\n-- Final view structure\nCREATE VIEW {name}.v;\n--\n"


# Each client keeps what it read in a file of its own, whose name says when it began and when it ended.
_CLIENT = """\
#!/bin/bash
begun=$(date +%s%N)
touch {folder}/running.$$
cat > {folder}/text.$$
{then}
rm -f {folder}/running.$$
mv {folder}/text.$$ "{folder}/got-$begun-$(date +%s%N)"
"""


def read_parts(dump: Path) -> Parts | None:
    here = LocalShell()
    return parse_parts(dumps.read_file(here, str(dump)), parse_contents(read_dump(here, str(dump))))


class Container:
    """A folder that stands for the container: clients and processors on the PATH, a dump."""

    def __init__(self, folder: Path, dump: str, then: str = "", processors: int = 2) -> None:
        self.folder, self.pid, self.dump = folder, folder / "load.pid", folder / "openstack-runbooks-dump.sql"
        self.dump.write_text(dump)
        for name, text in {
            "mysql": _CLIENT.format(folder=folder, then=then),
            "nproc": f"#!/bin/sh\necho {processors}\n",
        }.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self._environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def _begin(self, words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        words = [word.replace(importing._PID, str(self.pid)) for word in words]
        with log.open("wb") as stream:  # no pipe: whoever outlives the script would keep it open
            return subprocess.Popen(
                words, env=self._environment, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
            )

    def begin(self) -> subprocess.Popen[bytes]:
        parts = read_parts(self.dump)
        (long,) = importing.import_dump(Server("c", str(self.folder), "options", "restore-galera"), parts, 60).commands
        assert isinstance(long, LongCommand)
        return self._begin(long.words[long.words.index("bash") :], self.folder / "log")

    @property
    def said(self) -> str:
        return (self.folder / "log").read_text()

    def load(self) -> list[str]:
        """Load it; what each client got, in the order in which they began."""
        assert self.begin().wait(20) == 0, self.said
        return [got.read_text() for got in sorted(self.folder.glob("got-*"))]

    def progress(self) -> list[int]:
        log = self.folder / "progress"
        self._begin(("bash", "-c", importing._PROGRESS), log).wait(20)
        return [int(number) for number in log.read_text().split()]

    def stop(self) -> None:
        self._begin(("bash", "-c", importing._END), self.folder / "end").wait(20)


def test_each_database_has_a_client_that_gets_the_header_and_its_part_alone(tmp_path: Path) -> None:
    parts = [tables("keystone"), tables("a`b c"), tables("nova", size=300_000), f"{tables('heat')}{FOOTER}"]
    got = Container(tmp_path, HEADER + "".join(parts), processors=1).load()
    assert sorted(got) == sorted(HEADER + part for part in parts)
    assert HEADER + parts[2] in got[:2], "the largest is among the first two"


def test_views_come_when_all_tables_are_there(tmp_path: Path) -> None:
    first, last = [tables("nova"), tables("heat"), tables("glance")], [views("nova"), views("heat") + FOOTER]
    container = Container(tmp_path, HEADER + "".join(first + last), then="sleep 0.2", processors=8)
    got = container.load()
    assert sorted(got[:3]) == sorted(HEADER + part for part in first)
    assert got[3:] == [HEADER + "".join(last)]
    times = [got.name.split("-")[1:] for got in sorted(tmp_path.glob("got-*"))]
    assert max(ended for _, ended in times[:3]) < times[3][0]


@pytest.mark.parametrize(("processors", "at_once"), [(1, 2), (2, 4), (64, 8)])
def test_two_at_once_for_each_processor_and_no_more_than_eight(tmp_path: Path, processors: int, at_once: int) -> None:
    look = f"n=$(ls {tmp_path}/running.* | wc -l); echo $n >> {tmp_path}/counts"
    count = f"for i in {{1..60}}; do {look}; ((n < {at_once})) || break; sleep 0.05; done; sleep 0.2; {look}"
    Container(tmp_path, HEADER + "".join(tables(f"d{n}") for n in range(at_once + 2)), count, processors).load()
    assert max(int(line) for line in (tmp_path / "counts").read_text().split()) == at_once


ALONE = {
    "one database": HEADER + tables("nova") + FOOTER,
    "no database is named": HEADER + "CREATE TABLE t;\n" + FOOTER,
    "the server's own tables": HEADER + tables("nova") + tables("mysql") + tables("heat") + FOOTER,
    "more than the session is set": HEADER + "CHANGE MASTER TO x;\n" + tables("nova") + tables("heat") + FOOTER,
    "the whole server is set": f"/*!80000 SET @@GLOBAL.X=1 */;\n{HEADER}{tables('nova')}{tables('heat')}{FOOTER}",
    "too much stands before the first": HEADER + "-- x\n" * 2000 + tables("nova") + tables("heat") + FOOTER,
    "a routine has such a line": HEADER
    + tables("nova", rows="x');\nCREATE PROCEDURE p() BEGIN\n-- Current Database: `heat`\nSELECT 1; END;\n")
    + tables("heat")
    + FOOTER,
}


@pytest.mark.parametrize("dump", ALONE.values(), ids=ALONE)
def test_what_can_not_be_told_apart_for_sure_is_loaded_as_it_is(tmp_path: Path, dump: str) -> None:
    assert Container(tmp_path, dump).load() == [dump]


def test_a_line_longer_than_a_host_has_memory_for_is_loaded_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump_reading, "_MEMORY_KIB", 16 * 1024)
    monkeypatch.setattr(dump_reading, "_AWK_MEMORY_KIB", 8 * 1024)
    container = Container(tmp_path, HEADER + tables("nova"))
    with container.dump.open("r+b") as stream:
        stream.truncate(24 * 1024**2)
        stream.seek(0, os.SEEK_END)
        stream.write(f"\n{tables('heat')}{FOOTER}".encode())
    assert read_parts(container.dump) is None


def test_one_part_that_fails_fails_it_all_and_says_where(tmp_path: Path) -> None:
    dump = HEADER + tables("nova", size=100_000) + tables("heat") + tables("glance") + FOOTER
    fails = f'! grep -q heat {tmp_path}/text.$$ || {{ echo "ERROR 1050 (42S01) at line 3" >&2; exit 1; }}'
    container = Container(tmp_path, dump, fails)
    begins = dump.encode().index(b"-- Current Database: `heat`")
    assert container.begin().wait(20) != 0
    assert "ERROR 1050 (42S01) at line 3" in container.said
    assert f"in the part of the dump that begins at byte {begins}" in container.said
    container.stop()
    assert not list(tmp_path.glob("load.pid*"))


def test_all_clients_end_with_it(tmp_path: Path) -> None:
    container = Container(tmp_path, HEADER + tables("nova") + tables("heat") + FOOTER, then="exec sleep 300")
    script = container.begin()
    wait_until("here", "clients", "2", lambda: str(len(list(tmp_path.glob("running.*")))), 10)
    running = [int(path.suffix[1:]) for path in tmp_path.glob("running.*")]
    script.terminate()
    script.wait(20)
    assert all(Path(f"/proc/{number}").exists() for number in running), (
        "they went by themselves, and this shows nothing"
    )
    container.stop()
    wait_until("here", "clients", "0", lambda: str(sum(Path(f"/proc/{n}").exists() for n in running)), 10)


def test_how_far_it_is_counts_what_all_clients_have_read(tmp_path: Path) -> None:
    large, small = tables("nova", size=4_000_000), tables("heat")
    container = Container(tmp_path, HEADER + large + small + FOOTER)
    # The client of the large part stops reading in its middle.
    (tmp_path / "mysql").write_text(
        f"#!/bin/bash\ntext=$(head -c 2000000 | tr -d '\\0'); case $text in *nova*) sleep 300;; esac; touch {tmp_path}/through\n"
    )
    script = container.begin()
    wait_until("here", "small part", "through", lambda: "through" if (tmp_path / "through").exists() else "", 10)
    deadline = time.monotonic() + 10
    while container.progress()[0] < 2_000_000 + len(f"{small}{FOOTER}".encode()) and time.monotonic() < deadline:
        time.sleep(0.1)
    done, size = container.progress()
    assert size == container.dump.stat().st_size
    assert 2_000_000 < done < 3_500_000
    script.terminate()
    script.wait(20)
    container.stop()
