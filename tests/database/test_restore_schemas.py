"""restore-schemas by its own steps on real MariaDB: one server holds the backup, the other one serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

import tasks.engine.journals
from blocks.remote.errors import RunbookError
from blocks.remote.units import LongCommand
from flows.restore_schemas import procedure
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import Kind, Method
from tasks.database.contents import ServerContents
from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents
from tasks.database.mariadb import Server, parse_version
from tasks.database.schema_moving import MovedSchema
from tasks.engine.run import Run, TakeUp
from tasks.runbooks.restore_schemas.comparing import conclude
from tasks.runbooks.restore_schemas.job import NAME, Job, Request
from tasks.runbooks.restore_schemas.resume import Resume
from tasks.runbooks.stored_database.preflight import find_database
from tasks.runbooks.verify_backup.drill import contents_of
from tests.database.backups import back_up, with_copy
from tests.database.drills import OWN_SERVER, DrillSite, run_at_once
from tests.database.local_server import LocalServer
from tests.database.sample import SAMPLE
from tests.unit.fakes import LocalShell, without_engine

STAMP = "20261121T123456Z"
# Into the server that serves, commands go as they are; the image is there; all else is for the server that holds the backup.
_PODMAN = OWN_SERVER.replace(
    "case $1 in\n  run)",
    '[ "$1 $2 $3" != "exec -i here" ] || {{ shift 3; exec "$@"; }}\n'
    '[ "$1 $2" != "exec here" ] || {{ shift 2; exec "$@"; }}\ncase $1 in\n  run)',
)
CHANGED = """
DELETE FROM nova.instances WHERE id > 250;
CREATE TRIGGER nova.on_fault BEFORE INSERT ON nova.faults FOR EACH ROW SET NEW.message = 'changed';
CREATE VIEW nova.of_today AS SELECT 1 AS a;
"""


@pytest.fixture(scope="module")
def sets(origin: LocalServer, tmp_path_factory: pytest.TempPathFactory, target: LocalServer) -> dict[str, DrillSite]:
    """A store with a dump, and one with a physical copy."""
    origin.empty()
    origin.sql(SAMPLE)
    backup = back_up(origin)
    sites = {}
    for method, each in (("logical", backup), ("physical", with_copy(backup, origin))):
        site = DrillSite(tmp_path_factory.mktemp("s"), target)  # a socket's path must be short
        site.prepare(_PODMAN)
        site.keep(each)
        sites[method] = site
    return sites


@dataclass
class Cluster:
    """A cluster of one node without Galera.

    Attributes:
        shell: Its host, which is the store's, too.
        server: Its MariaDB.
        run: A run on it.
        sites: What is in the store, by the backup's method.
        folder: For definitions.
    """

    serving: LocalServer
    sites: dict[str, DrillSite]
    folder: Path

    def job(self, method: Method, *schemas: str, in_place: frozenset[str] = frozenset()) -> tuple[Run, Job]:
        """What is restored."""
        site = self.sites[method]
        shell = LocalShell(site.folder / "bin")
        shell.name = "controller-0"
        run = site.open_run()
        run.shells = {"controller-0": shell, "backup-node": site.shell}
        name = _only(site)
        version = parse_version(self.serving.sql("SELECT @@version"))
        kind = Kind("backup-control-plane", "overcloud", method)
        backup = find_database(run, [kind], str(name), True, version)
        assert backup is not None, run.reasons
        manifest = backup.store.manifest(backup.store.catalogue().find(str(name)))
        before = contents_of(manifest, "overcloud")
        there = self.serving.server
        job = Job(
            request=Request(schemas, "", False, 60, 60),
            hosts=[shell],
            servers={"controller-0": Server("here", there.directory, there.client_options, NAME)},
            directory=str(site.folder / "held"),
            image="sha256:0a1b",
            backup=backup,
            before=before,
            after=contents_of(manifest, "overcloud", after_copy=True) if method == "physical" else None,
            schemas=tuple(
                MovedSchema(
                    each,
                    STAMP,
                    f"CHARACTER SET {before.schemas[each].charset} COLLATE {before.schemas[each].collation}",
                    tuple(before.schemas[each].programs.get("view", {})),
                    str(self.folder),
                )
                for each in schemas
            ),
            leftovers=(),
            resume=Resume(run.journal, in_place),
        )
        return run, job

    def restore(self, method: Method, *schemas: str, in_place: frozenset[str] = frozenset()) -> Run:
        """The runbook's own steps."""
        run, job = self.job(method, *schemas, in_place=in_place)
        run.begin(TakeUp(run.journal), run.journal.run_id)
        procedure(run, job)
        run.finish()
        conclude(job)
        return run

    def contents(self, *schemas: str) -> ServerContents:
        return read_contents(self.serving.shell, self.serving.server, 2**40, 60, schemas)


def _only(site: DrillSite) -> SetName:
    (stored,) = site.store.catalogue().sets
    return stored.name


@pytest.fixture
def cluster(
    target: LocalServer, sets: dict[str, DrillSite], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    monkeypatch.setattr(tasks.engine.journals, "STATE_DIRECTORY", str(tmp_path / "journals"))
    for name, stand_in in run_at_once().items():
        monkeypatch.setattr(LongCommand, name, stand_in)
    without_engine(monkeypatch)
    target.empty()
    target.sql(SAMPLE)
    with disable_run_logger():
        yield Cluster(target, sets, tmp_path / "definitions")
    target.empty()


METHODS: tuple[Method, ...] = ("logical", "physical")


@pytest.mark.parametrize("method", METHODS)
def test_a_schema_comes_back_and_nothing_else_is_touched(cluster: Cluster, method: Method) -> None:
    before = cluster.contents()
    cluster.serving.sql(CHANGED)
    changed = cluster.contents("nova")
    run = cluster.restore(method, "nova")
    kept = f"nova_kept_{STAMP}"
    differences = [str(each) for each in compare(before, cluster.contents()).differences]
    assert differences == [f"schema {kept}: is there, and was not backed up"]
    tables = cluster.contents(kept).schemas[kept].tables
    assert changed.schemas["nova"].tables.items() <= tables.items()
    assert any(kept in finding for finding in run.journal.findings)
    assert not (cluster.sites[method].folder / "held").exists()


def test_several_come_back_and_one_that_was_dropped(cluster: Cluster) -> None:
    before = cluster.contents("nova", "only_views", "nothing_in_it")
    cluster.serving.sql("DROP DATABASE nova; DROP DATABASE nothing_in_it; DROP VIEW only_views.hosts")
    cluster.restore("logical", "nova", "only_views", "nothing_in_it")
    assert compare(before, cluster.contents("nova", "only_views", "nothing_in_it")).differences == ()


def test_what_is_in_place_is_not_touched_again(cluster: Cluster) -> None:
    cluster.restore("logical", "nova")
    cluster.serving.sql("INSERT INTO nova.notes VALUES ('by a client', 1)")
    cluster.serving.sql("DROP TRIGGER nova.count_up")
    cluster.restore("logical", "nova", in_place=frozenset({"nova"}))
    found = cluster.contents("nova").schemas["nova"]
    assert found.tables["notes"].rows == 7
    assert "count_up" in found.programs["trigger"]


def test_a_view_whose_schema_is_gone_fails_the_run_and_the_tables_are_in_place(cluster: Cluster) -> None:
    cluster.serving.sql("DROP DATABASE only_views; DROP DATABASE nova")
    with pytest.raises(
        RunbookError, match=r"only_views is in place, and not defined as in .*: view only_views.hosts: is missing"
    ):
        cluster.restore("logical", "only_views")


DAMAGES: dict[str, Callable[[Job], None]] = {
    "other rows": lambda job: _change(job, rows=1),
    "a table more": lambda job: _change(job, table="more"),
}


def _change(job: Job, rows: int = 0, table: str = "") -> None:
    nova = job.before.schemas["nova"]
    tables = dict(nova.tables)
    if rows:
        tables["faults"] = tables["faults"].model_copy(update={"rows": rows})
    if table:
        tables[table] = tables["faults"]
    job.before.schemas["nova"] = nova.model_copy(update={"tables": tables})


@pytest.mark.parametrize("name", DAMAGES)
def test_a_backup_that_is_not_as_its_manifest_says_is_not_put_in_place(cluster: Cluster, name: str) -> None:
    before = cluster.contents()
    run, job = cluster.job("logical", "nova")
    DAMAGES[name](job)
    run.begin(TakeUp(run.journal), run.journal.run_id)
    with pytest.raises(RunbookError, match="what was loaded differs from the backup's manifest"):
        procedure(run, job)
    assert compare(before, cluster.contents()).differences == ()
