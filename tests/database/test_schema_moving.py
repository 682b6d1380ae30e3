"""A schema is copied from server to server and put in place, on real MariaDB: what RENAME carries, and what is made anew."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.units import LongCommand
from deployments.project import PROJECT
from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents
from tasks.database.schema_moving import MovedSchema, drop_words
from tasks.database.schema_scripts import MARK
from tests.database.local_server import LocalServer
from tests.database.sample import SAMPLE

DOCUMENTATION = PROJECT / "docs/restore-schemas.md"
DEFAULTS = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
# What has happened to the cluster's schema since the backup.
CHANGED = """
DELETE FROM nova.faults;
DROP VIEW nova.active;
CREATE TABLE nova.extra (a INT);
CREATE TABLE nova.active (a INT);
CREATE VIEW nova.notes_of_today AS SELECT * FROM nova.notes;
CREATE TRIGGER nova.on_fault BEFORE INSERT ON nova.faults FOR EACH ROW SET NEW.message = 'changed';
CREATE PROCEDURE nova.of_today() SELECT 1;
ALTER DATABASE nova CHARACTER SET latin1;
"""

# Whatever a table can be that the sample has not.
UNUSUAL = """
USE nova;
CREATE TABLE tree (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES tree (id));
CREATE TABLE history (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING;
CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3;
CREATE TABLE texts (id INT PRIMARY KEY, a TEXT, twice INT AS (id * 2) STORED, FULLTEXT (a));
CREATE TABLE numbered (id INT DEFAULT NEXTVAL(nova.ticket), a INT);
CREATE TABLE `odd``name-%` (`odd column` INT, `b``c` INT, KEY `odd key` (`b``c`));
CREATE VIEW `odd``view` AS SELECT vcpus_of(host) AS n FROM nova.instances;
CREATE TRIGGER `odd``trigger` BEFORE INSERT ON `odd``name-%` FOR EACH ROW SET NEW.`b``c` = 1;
INSERT INTO tree VALUES (1, NULL), (2, 1);
INSERT INTO history VALUES (1, 1);
INSERT INTO parts SELECT seq FROM seq_1_to_9;
INSERT INTO texts (id, a) VALUES (1, 'it''s \\ a text');
INSERT INTO `odd``name-%` VALUES (1, 2);
"""


@pytest.fixture
def cluster(origin: LocalServer, target: LocalServer) -> Iterator[LocalServer]:
    """The server of which the schema is restored; `origin` has the backup's."""
    for server in (origin, target):
        server.empty()
        server.sql(SAMPLE)
    yield target
    target.empty()


@pytest.fixture
def moved(tmp_path: Path) -> MovedSchema:
    return MovedSchema("nova", "20261121T123456Z", DEFAULTS, ("active",), str(tmp_path / "kept"))


def run(server: LocalServer, *commands: LongCommand) -> list[subprocess.CompletedProcess[bytes]]:
    return [server.shell.call(command.words) for command in commands]


def prepare(origin: LocalServer, cluster: LocalServer, moved: MovedSchema) -> None:
    """Everything before the switch."""
    done = run(
        cluster,
        moved.copy(origin.server, cluster.server, 60),
        moved.write_definitions(origin.server, 60),
        moved.write_old_definitions(cluster.server, 60),
    )
    assert [each.returncode for each in done] == [0, 0, 0], done


def switch(cluster: LocalServer, moved: MovedSchema) -> subprocess.CompletedProcess[bytes]:
    return run(cluster, moved.switch(cluster.server, 60))[0]


def differences(origin: LocalServer, cluster: LocalServer, schemas: tuple[str, ...] = ()) -> list[str]:
    expected, found = (read_contents(each.shell, each.server, 2**40, 60, schemas) for each in (origin, cluster))
    return [str(each) for each in compare(expected, found).differences]


def tables(server: LocalServer, schema: str) -> set[str]:
    return set(server.sql(f"SHOW TABLES FROM {schema}").split())


def test_all_of_the_schema_is_as_in_the_backup_and_what_was_there_is_kept(
    origin: LocalServer, cluster: LocalServer, moved: MovedSchema
) -> None:
    cluster.sql(CHANGED)
    prepare(origin, cluster, moved)
    assert switch(cluster, moved).returncode == 0
    kept = [f"schema {name}: is there, and was not backed up" for name in (moved.kept, moved.new)]
    assert sorted(differences(origin, cluster)) == sorted(kept), "accounts and their privileges, too, are as before"
    assert tables(cluster, moved.kept) == {"active", "extra", "faults", "instances", "notes", "ticket", MARK}
    assert tables(cluster, moved.new) == set()
    old = Path(moved.old_definitions).read_text()
    assert all(name in old for name in ("notes_of_today", "on_fault", "of_today"))
    assert Path(moved.old_definitions).stat().st_mode & 0o777 == 0o600


def test_foreign_keys_lead_to_the_tables_that_they_came_with(
    origin: LocalServer, cluster: LocalServer, moved: MovedSchema
) -> None:
    prepare(origin, cluster, moved)
    switch(cluster, moved)
    cluster.sql("INSERT INTO instances (id, uuid) VALUES (999, 'only there')", moved.kept)
    cluster.sql("INSERT INTO faults (instance_id) VALUES (999)", moved.kept)
    refused = cluster.try_sql(b"INSERT INTO nova.faults (instance_id) VALUES (999)")
    assert b"foreign key constraint fails" in refused.stderr


def test_whatever_a_table_can_be_it_moves(origin: LocalServer, cluster: LocalServer, moved: MovedSchema) -> None:
    for server in (origin, cluster):
        server.sql(UNUSUAL)
    moved = replace(moved, views=("active", "odd`view"))
    prepare(origin, cluster, moved)
    assert switch(cluster, moved).returncode == 0
    assert differences(origin, cluster, ("nova",)) == []
    refused = cluster.try_sql(b"INSERT INTO nova.tree VALUES (3, 9)")
    assert b"foreign key constraint fails" in refused.stderr
    cluster.sql("INSERT INTO nova.numbered (a) VALUES (1)")


def test_a_trigger_forbids_the_rename(cluster: LocalServer) -> None:
    cluster.sql("CREATE DATABASE elsewhere")
    refused = cluster.try_sql(b"RENAME TABLE nova.notes TO elsewhere.notes")
    assert b"ERROR 1435" in refused.stderr


def test_a_schema_that_was_dropped_comes_back(origin: LocalServer, cluster: LocalServer, moved: MovedSchema) -> None:
    cluster.sql("DROP DATABASE nova")
    prepare(origin, cluster, moved)
    assert switch(cluster, moved).returncode == 0
    assert differences(origin, cluster, ("nova",)) == []
    assert tables(cluster, moved.kept) == {MARK}


def test_put_in_place_a_second_time_it_stays_as_it_is(
    origin: LocalServer, cluster: LocalServer, moved: MovedSchema
) -> None:
    prepare(origin, cluster, moved)
    switch(cluster, moved)
    cluster.sql("INSERT INTO nova.notes VALUES ('written by a client', 1)")
    cluster.sql("DROP TRIGGER nova.count_up; DROP VIEW nova.active")
    assert switch(cluster, moved).returncode == 0
    assert cluster.sql("SELECT COUNT(*) FROM nova.notes WHERE note = 'written by a client'") == "1\n"
    assert differences(origin, cluster, ("nova",)) == ["table nova.notes: has one row more: 7, not 6"]


def test_tables_that_can_not_change_places_leave_the_schema_as_it_was(
    origin: LocalServer, cluster: LocalServer, moved: MovedSchema
) -> None:
    cluster.sql(CHANGED)
    before = read_contents(cluster.shell, cluster.server, 2**40, 60)
    prepare(origin, cluster, moved)
    # A table of that name is in the way of the RENAME, after all triggers were taken off.
    cluster.sql(f"CREATE DATABASE {moved.kept} CHARACTER SET latin1; CREATE TABLE {moved.kept}.notes (a INT)")
    done = switch(cluster, moved)
    assert done.returncode == 1
    assert b"the tables of nova did not change places: it is as it was" in done.stdout
    cluster.sql(f"DROP DATABASE {moved.kept}; DROP DATABASE {moved.new}")
    assert compare(before, read_contents(cluster.shell, cluster.server, 2**40, 60)).differences == ()


def test_what_was_kept_is_taken_back_as_the_documentation_says(
    origin: LocalServer, cluster: LocalServer, moved: MovedSchema
) -> None:
    cluster.sql(CHANGED)
    before = read_contents(cluster.shell, cluster.server, 2**40, 60, ("nova",)).schemas["nova"]
    prepare(origin, cluster, moved)
    switch(cluster, moved)
    (questions,) = re.findall(r"^```sql\n(.*?)^```$", DOCUMENTATION.read_text(), re.DOTALL | re.MULTILINE)
    cluster.sql(cluster.sql(re.sub(r"nova_kept_\w+", moved.kept, questions)))
    for file in (moved.old_definitions, moved.old_definitions.replace(".sql", ".grants.sql")):
        cluster.sql(Path(file).read_text(), "nova")
    found = read_contents(cluster.shell, cluster.server, 2**40, 60, ("nova",)).schemas["nova"]
    assert (found.tables, found.sequences, found.programs) == (before.tables, before.sequences, before.programs)


def test_an_error_of_a_client_tells_nothing_of_the_rows(
    origin: LocalServer, cluster: LocalServer, moved: MovedSchema
) -> None:
    origin.sql("CREATE TABLE nova.keys_of (secret VARCHAR(20) CHECK (secret <> 'hunter2'));")
    origin.sql("SET check_constraint_checks = 0; INSERT INTO nova.keys_of VALUES ('hunter2')")
    (done,) = run(cluster, moved.copy(origin.server, cluster.server, 60))
    assert done.returncode == 1
    assert done.stdout.startswith(b"ERROR 4025 (23000) at line")
    assert b"hunter2" not in done.stdout + done.stderr


def test_large_tables_arrive_in_pieces(origin: LocalServer, cluster: LocalServer, moved: MovedSchema) -> None:
    origin.sql(
        "USE nova; CREATE TABLE large (a VARCHAR(1000)); INSERT INTO large SELECT REPEAT('x', 1000) FROM seq_1_to_5000"
    )
    before = inserts(cluster)
    prepare(origin, cluster, moved)
    others = 3  # tables with rows in the sample
    assert inserts(cluster) - before >= others + 5
    switch(cluster, moved)
    assert differences(origin, cluster, ("nova",)) == []


def inserts(server: LocalServer) -> int:
    return int(server.sql("SHOW GLOBAL STATUS LIKE 'Com_insert'").split()[1])


def test_new_schemas_are_dropped_whether_they_are_there_or_not(
    origin: LocalServer, cluster: LocalServer, moved: MovedSchema
) -> None:
    prepare(origin, cluster, moved)
    for _ in range(2):
        assert cluster.shell.call(drop_words(cluster.server, [moved.new, "keystone_new_x"])).returncode == 0
    assert moved.new not in cluster.sql("SHOW DATABASES").split()
