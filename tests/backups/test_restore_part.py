"""restore-schemas and restore-accounts on the lab: both come back on every node while it serves; what was there is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tasks.backup.backup_set import SetName
from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import compare
from tasks.database.schema_comparison import of_schemas
from tasks.runbooks.verify_backup.drill import contents_of
from tests.backups.backed_up import BackedUp, exhaustive
from tests.backups.test_restore_galera import contents
from tests.lab.shell import LabError
from tests.restore_galera.cloud import Cloud, Ended
from tests.restore_galera.test_prefect import Watcher, secrets_of

# What a restore can leave: on the first controller, and in the cluster.
_LEFT = (
    "ls -d /var/lib/mysql-restore-schemas 2>/dev/null || :; podman ps --all --format '{{.Names}}' | grep runbooks || :; "
    "systemctl list-units --all --plain --no-legend 'openstack-runbooks-*' || :"
)
_NAMES = "SELECT schema_name FROM information_schema.schemata"
# All that a schema can have, and that a RENAME carries or does not.
_SCHEMA = """
CREATE DATABASE part CHARACTER SET utf8mb4;
USE part;
CREATE TABLE hosts (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50), UNIQUE KEY (name));
CREATE TABLE instances (id INT AUTO_INCREMENT PRIMARY KEY, host INT, seen INT DEFAULT 0,
  CONSTRAINT on_host FOREIGN KEY (host) REFERENCES hosts (id));
CREATE TABLE large (id INT AUTO_INCREMENT PRIMARY KEY, filler VARCHAR(1000));
CREATE SEQUENCE ticket START WITH 100 NOCACHE;
CREATE VIEW busy AS SELECT host, COUNT(*) AS n FROM instances GROUP BY host;
CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN 2 * n;
CREATE PROCEDURE remove_old() DELETE FROM instances WHERE id < 0;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 03:00:00' DO DELETE FROM part.instances WHERE id < 0;
CREATE TRIGGER stamp BEFORE INSERT ON instances FOR EACH ROW SET NEW.seen = 1;
INSERT INTO hosts VALUES (1, 'compute-0'), (2, 'compute-1');
INSERT INTO instances (host) VALUES (1), (1), (2);
"""
_FILL = "INSERT INTO part.large (filler) SELECT REPEAT('x', 1000) FROM part.large LIMIT 4000"
_ACCOUNTS = """
CREATE OR REPLACE USER 'part'@'%' IDENTIFIED BY 'of the backup';
CREATE OR REPLACE USER 'part'@'172.16.2.%' IDENTIFIED BY 'of the backup' WITH MAX_USER_CONNECTIONS 10;
CREATE ROLE IF NOT EXISTS part_reader;
GRANT SELECT ON part.* TO part_reader;
GRANT part_reader TO 'part'@'%';
SET DEFAULT ROLE part_reader FOR 'part'@'%';
GRANT ALL ON part.* TO 'part'@'172.16.2.%';
"""
_NO_ACCOUNTS = "DROP USER IF EXISTS 'part'@'%', 'part'@'172.16.2.%', 'of_today'@'%'; DROP ROLE IF EXISTS part_reader"
# What becomes of them after the backup.
_CHANGED_ACCOUNTS = """
ALTER USER 'part'@'%' IDENTIFIED BY 'of today';
DROP USER 'part'@'172.16.2.%';
GRANT DROP ON *.* TO part_reader;
CREATE OR REPLACE USER 'of_today'@'%' IDENTIFIED BY 'x';
GRANT part_reader TO 'of_today'@'%';
"""
# What becomes of the schema after the backup.
_SPOIL = """
DELETE FROM part.instances;
DROP VIEW part.busy;
CREATE VIEW part.of_today AS SELECT 1 AS a;
CREATE TABLE part.hourly (a INT PRIMARY KEY);
CREATE TRIGGER part.spoil BEFORE INSERT ON part.hosts FOR EACH ROW SET NEW.name = 'spoiled';
"""


def sql(backed_up: BackedUp, text: str, host: str = "controller-0") -> str:
    return backed_up.lab.sql(host, text)


@pytest.fixture(scope="module")
def cloud(backed_up: BackedUp) -> Cloud:
    return Cloud(backed_up.lab, backed_up.server)


@pytest.fixture(scope="module")
def name(backed_up: BackedUp) -> Iterator[SetName]:
    """A verified backup with a schema in it."""
    sql(backed_up, "DROP DATABASE IF EXISTS part")
    sql(backed_up, _SCHEMA)
    sql(backed_up, _NO_ACCOUNTS)
    sql(backed_up, _ACCOUNTS)
    sql(backed_up, "INSERT INTO part.large (filler) VALUES (REPEAT('x', 1000))")
    for _ in range(13):
        sql(backed_up, _FILL)
    ended = backed_up.run("backup-control-plane")
    assert ended.code == 0, ended.output[-4000:]
    with backed_up.store() as store:
        yield store.catalogue().sets[-1].name
    sql(backed_up, "DROP DATABASE IF EXISTS part")
    sql(backed_up, _NO_ACCOUNTS)


@pytest.fixture(autouse=True)
def _kept_schemas_are_dropped(backed_up: BackedUp) -> Iterator[None]:
    yield
    for schema in kept(backed_up):
        sql(backed_up, f"DROP DATABASE {schema}")


def kept(backed_up: BackedUp, host: str = "controller-0") -> list[str]:
    return [each for each in sql(backed_up, _NAMES, host).split() if each.startswith("part_")]


def restore(backed_up: BackedUp, *kill: str, **parameters: object) -> Ended:
    return backed_up.run("restore-schemas", *kill, schemas=["part"], approved_by="a test", **parameters)


def expected(backed_up: BackedUp, name: SetName) -> ServerContents:
    with backed_up.store() as store:
        manifest = store.manifest(store.catalogue().find(str(name)))
    return of_schemas(contents_of(manifest, "overcloud"), ["part"])


def differences(wanted: ServerContents, backed_up: BackedUp, host: str) -> list[str]:
    """What differs on a node; an event is enabled on one node of a Galera cluster, and DISABLE ON SLAVE on the others."""
    found = compare(wanted, of_schemas(contents(backed_up, host), ["part"])).differences
    return [str(each) for each in found if each.where != "event part.nightly" or each.what == "is missing"]


def assert_is(backed_up: BackedUp, cloud: Cloud, name: SetName) -> None:
    """Every node holds the schema as the manifest says, and what was there; nothing else of the restore is left."""
    wanted = expected(backed_up, name)
    for host in backed_up.lab.controllers:
        assert differences(wanted, backed_up, host) == [], host
        (old,) = kept(backed_up, host)
        assert old.startswith("part_kept_"), host
        assert "hourly" in sql(backed_up, f"SHOW TABLES FROM {old}", host).split()
        assert backed_up.lab.exec(host, _LEFT).stdout == "", host
    assert cloud.problems() == []


@dataclass
class Client:
    """A client that writes to another schema and reads this one all the time.

    Attributes:
        failed: What it was told instead of an answer.
    """

    backed_up: BackedUp
    failed: list[str] = field(default_factory=list)
    asked: int = 0

    def _ask(self, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                sql(self.backed_up, "SELECT COUNT(*) FROM part.hosts", "controller-1")
                self.asked += 1
            except LabError as error:
                self.failed.append(str(error))

    @contextmanager
    def asking(self) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._ask, args=(ended,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def test_a_spoiled_schema_comes_back_on_every_node_while_clients_ask(
    backed_up: BackedUp, cloud: Cloud, name: SetName
) -> None:
    sql(backed_up, _SPOIL)
    others = compare_others(backed_up)
    client = Client(backed_up)
    with Watcher(secrets_of(backed_up.lab)) as watcher, client.asking():
        ended = restore(backed_up)
    assert ended.code == 0, ended.output[-4000:]
    assert_is(backed_up, cloud, name)
    assert compare(others, compare_others(backed_up)).differences == ()
    assert client.asked > 0
    assert len(client.failed) <= 1, client.failed
    assert watcher.found == set()


def compare_others(backed_up: BackedUp) -> ServerContents:
    """What is in the cluster beside the schema, and its accounts."""
    found = contents(backed_up, "controller-2")
    schemas = {each: what for each, what in found.schemas.items() if not each.startswith("part")}
    return found.model_copy(update={"schemas": schemas})


@pytest.mark.exhaustive
def test_a_schema_that_was_dropped_comes_back(backed_up: BackedUp, name: SetName) -> None:
    sql(backed_up, "DROP DATABASE part")
    ended = restore(backed_up, backup=str(name))
    assert ended.code == 0, ended.output[-4000:]
    for host in backed_up.lab.controllers:
        assert differences(expected(backed_up, name), backed_up, host) == [], host


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "kill",
    [
        "--kill-after 5",
        "--kill-during 8",
        *map(
            exhaustive,
            (*(f"--kill-after {step}" for step in (1, 2, 3, 4, 6, 7, 8)), "--kill-during 3", "--kill-during 5"),
        ),
    ],
)
def test_killed_and_started_again_it_reaches_the_same_end(
    kill: str, backed_up: BackedUp, cloud: Cloud, name: SetName
) -> None:
    sql(backed_up, _SPOIL)
    ended = restore(backed_up, *kill.split(), backup=str(name))
    assert ended.killed, ended.output[-4000:]
    ended = restore(backed_up, backup=str(name))
    assert ended.code == 0, ended.output[-4000:]
    assert_is(backed_up, cloud, name)


def test_a_statement_that_changes_definitions_refuses_it(backed_up: BackedUp, name: SetName) -> None:
    words = "podman exec $(podman ps -q --filter name=galera-bundle) mysql -e"
    backed_up.lab.exec(
        "controller-1", f"nohup {words} 'CREATE TABLE part.slow SELECT SLEEP(30) AS a' >/dev/null 2>&1 &"
    )
    ended = restore(backed_up, backup=str(name), dry_run=True)
    sql(backed_up, "DROP TABLE IF EXISTS part.slow", "controller-1")
    assert ended.code == 1
    assert "changes definitions" in ended.output


@pytest.mark.parametrize("kill", ["", *map(exhaustive, ("--kill-after 1", "--kill-after 2"))])
def test_accounts_come_back_on_every_node_and_those_of_today_stay(
    kill: str, backed_up: BackedUp, cloud: Cloud, name: SetName
) -> None:
    with backed_up.store() as store:
        wanted = contents_of(store.manifest(store.catalogue().find(str(name))), "overcloud").accounts
    sql(backed_up, _CHANGED_ACCOUNTS)
    parameters = {"accounts": ["part", "part_reader"], "backup": str(name), "approved_by": "a test"}
    if kill:
        assert backed_up.run("restore-accounts", *kill.split(), **parameters).killed
    with Watcher(secrets_of(backed_up.lab)) as watcher:
        ended = backed_up.run("restore-accounts", **parameters)
    assert ended.code == 0, ended.output[-4000:]
    for host in backed_up.lab.controllers:
        found = contents(backed_up, host).accounts
        for account in ("'part'@'%'", "'part'@'172.16.2.%'", "role part_reader"):
            assert found[account] == wanted[account], (host, account)
        assert found["'of_today'@'%'"].roles == {"part_reader": False}, host
    assert cloud.problems() == []
    assert watcher.found == set()
