"""Restoring the undercloud's database from a backup, in memory: whole, and interrupted at every change."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import Refused, RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, UNDERCLOUD
from flows.restore_undercloud_database import procedure
from tasks.backup.store import Store
from tasks.engine.plan import Plan, plan_of
from tasks.engine.run import Run
from tasks.runbooks.restore_undercloud_database.job import NAME, Job, Request, hosts_of_restore
from tasks.runbooks.restore_undercloud_database.preflight import look
from tests.unit.flows.backup_cluster import LOADED, PREPARED, make_backup, without_connections
from tests.unit.flows.cluster import Killed
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.test_restore_undercloud_database_run import is_restored
from tests.unit.flows.undercloud import DUMP, OURS, Undercloud
from tests.unit.tasks.backup.samples import make_store
from tests.unit.tasks.runbooks.verify_backup.samples import site_of
from tests.unit.tasks.samples import journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
LATEST = Request("", stop_s=900, start_s=300, copy_s=14400, load_s=14400)
DOCUMENTED = replace(LATEST, method="documented")
FOLDER = "/var/lib/mysql/openstack-runbooks-backup"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a verified backup."""
    made = make_store(tmp_path_factory.mktemp("store"))
    make_backup(made, runbook="backup-undercloud", of="undercloud", host="undercloud")
    return made


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a verified backup that has a physical copy."""
    made = make_store(tmp_path_factory.mktemp("copied"))
    make_backup(made, runbook="backup-undercloud", of="undercloud", host="undercloud", copied=True)
    return made


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    without_connections(monkeypatch)


class FromStore(Undercloud):
    """An undercloud to which files of a backup are brought, and loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.on("cat ", "/loaded-", say=LOADED).on("command -v", say="zstd\ngzip\n")
        self.on('[ -f "$1" ] || exit 3', say=3)
        self.on('[ -e "$1" ] && printf', say=lambda asked: 0 if asked.words[-2] in self.files else 1)
        self.order("mv -T", FOLDER, do=lambda asked: self.files.add(asked.words[-1]))
        self.order("install -d -m 700", FOLDER, do=lambda _: None)
        self.order("sha256sum", 'tee -- "$1.new"', do=lambda _: None)
        self.order("rm -rf --", FOLDER, do=lambda _: self.files.clear())
        self.order(
            "systemd-run --quiet", f"{OURS}-dump", do=lambda asked: self._load_file(asked, "undercloud.sql", "system")
        )
        self.order(
            "systemd-run --quiet",
            f"{OURS}-grants",
            do=lambda asked: self._load_file(asked, "undercloud-grants.sql", "dump"),
        )
        self.on("cat ", "/prepared", say=PREPARED)
        self.order("systemd-run --quiet", f"{OURS}-copy", do=self._prepare)
        self.order("for file in * .[!.]*", do=self._take)
        self.order("systemd-run --quiet", "openstack-runbooks-cleanup", do=lambda _: None)

    def _prepare(self, asked: Command) -> None:
        self._at_rest()
        if self._ends(asked, f"{FOLDER}/undercloud.mbstream" in self.files):
            assert self.data == "", f"a copy is prepared in {self.data}"
            self.files.add("prepared")

    def _take(self, _: Command) -> int:
        if "prepared" not in self.files:
            return 1
        self.data = "dump"
        return 0

    def _load_file(self, asked: Command, file: str, over: str) -> None:
        there = bool(self.containers.get(OURS)) and f"{FOLDER}/{file}" in self.files
        if self._ends(asked, there):
            assert self.data == over, f"{file} is loaded over {self.data}"
            self.data = "dump"


def prepare(undercloud: Undercloud, store: Store, request: Request = LATEST) -> tuple[Run, Job]:
    shells = {"undercloud": cast("Shell", undercloud), "backup-node": store.shell}
    run = Run(NAME, site_of(store), shells, False, journal(runbook=NAME))
    return run, look(run, request, lambda job: plan_of(procedure, job).numbers)


def restore(undercloud: Undercloud, store: Store, request: Request = LATEST) -> Run:
    """One run of the flow: preflight, then the procedure."""
    run, job = prepare(undercloud, store, request)
    run.begin(job.resume.take_up, "22222222")
    procedure(run, job)
    run.finish()
    return run


def test_the_backup_is_there_the_old_data_is_kept_and_the_same_runs_again(store: Store) -> None:
    undercloud = FromStore()
    run = restore(undercloud, store)
    is_restored(undercloud)
    told = {record.number.split(".")[0] for record in run.journal.records}
    assert {str(number) for number in range(1, 12)} <= told


def test_the_plan_is_the_golden_one(store: Store) -> None:
    _, job = prepare(FromStore(), store)
    assert job.facts.backup is not None
    elsewhere = Store(store.shell, store.settings.model_copy(update={"path": "/backups"}), "lab")
    plan = Plan()
    procedure(plan, replace(job, facts=replace(job.facts, backup=replace(job.facts.backup, store=elsewhere))))
    assert_golden("restore-undercloud-database-backup", plan)


def loads(run: Run) -> set[str]:
    """The steps that load a dump, as far as they were taken."""
    return {record.number for record in run.journal.records if record.outcome != "left out"} & {"7", "9", "10.2"}


def test_a_copy_takes_the_place_of_a_dump_that_would_be_loaded(copied: Store) -> None:
    undercloud = FromStore()
    run = restore(undercloud, copied)
    is_restored(undercloud)
    assert loads(run) == set()
    assert undercloud.lines(f"{OURS}-copy")
    (moved,) = undercloud.lines("for file in * .[!.]*")
    assert moved.endswith(f"bash {FOLDER}/data /var/lib/mysql 42434 system_u:object_r:container_file_t:s0")


def test_the_plan_of_a_copy_leaves_out_what_would_load_a_dump(copied: Store) -> None:
    _, job = prepare(FromStore(), copied)
    plan = plan_of(procedure, job)
    assert [step.number for step in plan.steps if step.note.startswith("left out")] == ["7", "9", "10.2"]
    assert plan.numbers == plan_of(procedure, prepare(FromStore(), copied, DOCUMENTED)[1]).numbers


def test_the_dump_is_loaded_by_all_steps_where_that_is_asked_for(copied: Store) -> None:
    undercloud = FromStore()
    run = restore(undercloud, copied, DOCUMENTED)
    is_restored(undercloud)
    assert loads(run) == {"7", "9", "10.2"}


def test_a_copy_of_another_series_is_passed_over_for_the_dump(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    older = {
        "runbook": "backup-undercloud",
        "of": "undercloud",
        "host": "undercloud",
        "server_version": "10.2.1-MariaDB",
    }
    make_backup(store, copied=True, **older)  # type: ignore[arg-type]
    _, job = prepare(FromStore(), store)
    assert job.facts.backup is not None
    assert job.facts.backup.method == "logical"


def test_a_copy_takes_the_room_that_its_data_took(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_backup(
        store, runbook="backup-undercloud", of="undercloud", host="undercloud", copied=True, data_bytes=7 * 2**40
    )
    with pytest.raises(Refused, match="about 7,340,544 MiB needed"):
        prepare(FromStore(), store)


def test_killed_with_a_copy_and_started_again_it_reaches_the_same_end_whatever_is_restored_then(copied: Store) -> None:
    whole = FromStore()
    restore(whole, copied)
    assert whole.changes > 22
    for at in range(1, whole.changes):
        for request in (LATEST, DOCUMENTED):
            undercloud = FromStore()
            undercloud.kill_at, undercloud.after = at, True
            with suppress(Killed):
                restore(undercloud, copied)
            undercloud.dead, undercloud.kill_at = False, 0
            if request is DOCUMENTED and undercloud.data == "served":
                continue  # a job of its own, which keeps aside what the services have written to
            if "current.json" in undercloud.journals or at == 1:
                restore(undercloud, copied, request)
            try:
                is_restored(undercloud)
            except AssertionError as error:
                raise AssertionError(f"killed at change {at}, and then {request.method}") from error


def test_a_run_that_is_killed_at_any_change_is_taken_up_to_the_same_end(store: Store) -> None:
    whole = FromStore()
    restore(whole, store)
    assert whole.changes > 28
    for at in range(1, whole.changes):
        undercloud = FromStore()
        undercloud.kill_at, undercloud.after = at, True
        with suppress(Killed):
            restore(undercloud, store)
        undercloud.dead, undercloud.kill_at = False, 0
        if "current.json" in undercloud.journals or at == 1:
            restore(undercloud, store)
        try:
            is_restored(undercloud)
        except AssertionError as error:
            raise AssertionError(f"killed at change {at}") from error


def test_a_backup_and_a_dump_are_one_too_many(store: Store) -> None:
    undercloud = FromStore()
    with pytest.raises(RunbookError, match="`backup` is given, and `dump` as well"):
        prepare(undercloud, store, replace(LATEST, backup="latest-verified", dump=DUMP))
    with pytest.raises(RunbookError, match="no such set"):
        prepare(undercloud, store, replace(LATEST, backup="2031"))
    assert undercloud.changes == 0


def test_the_store_takes_part_only_where_a_backup_is_wanted(store: Store) -> None:
    site = site_of(store)
    assert hosts_of_restore(site, {}) == [UNDERCLOUD, BACKUP_NODE]
    assert hosts_of_restore(site, {"dump": DUMP}) == [UNDERCLOUD]
    assert hosts_of_restore(site.model_copy(update={"store": None}), {}) == [UNDERCLOUD]
    assert LATEST.on(site.model_copy(update={"store": None})).dump == "/root/undercloud-all-databases.sql"
