"""prune-backups on a store in a folder: what goes, what stays and why, what is cut short, and what it refuses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import tasks.engine.journals
import tasks.engine.runbook
import tasks.runbooks.prune_backups.pruning
from blocks.remote.errors import Refused, RunbookError
from blocks.site import BACKUP_NODE, Site
from blocks.store import BackupStore
from flows.prune_backups import NAME, procedure, prune_backups
from tasks.backup.backup_set import SetName
from tasks.backup.records import Pinned, Unpinned
from tasks.backup.removal import delete, put_aside
from tasks.backup.store import Store
from tasks.engine.departures import departures_of
from tasks.engine.journal import Journal
from tasks.engine.plan import Plan
from tasks.engine.report import render
from tasks.engine.run import Run, TakeUp
from tasks.engine.runbook import carry_out
from tasks.runbooks.prune_backups.pruning import Pruning, backups, look
from tests.unit.fakes import FakeShell
from tests.unit.flows.golden import assert_golden
from tests.unit.tasks.backup.samples import LOGICAL, START, make_set, make_store, name_of, verification
from tests.unit.tasks.samples import SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine")
RETENTION = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0, "minimum_verified": 1}
RUN = str(UUID(int=99 << 96))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    (tmp_path / "store").mkdir()
    monkeypatch.setattr(tasks.engine.journals, "STATE_DIRECTORY", str(tmp_path / "journals"))
    made = make_store(tmp_path / "store", retention=RETENTION)
    made.shell.name = "backup-node"
    monkeypatch.setattr(tasks.runbooks.prune_backups.pruning, "now", lambda: START + timedelta(days=3, hours=1))
    return made


@pytest.fixture
def nights(store: Store) -> Callable[..., list[SetName]]:
    """Makes sets, a night after the other, of which those named are verified."""

    def nights(count: int, verified: set[int]) -> list[SetName]:
        names = [make_set(store, number) for number in range(count)]
        for number in sorted(verified):
            store.record(names[number], verification(number))
        return names

    return nights


def open_run(store: Store, site: str = "lab") -> Run:
    where = SITE.model_copy(update={"site": site, "store": store.settings})
    shells = {"backup-node": store.shell}
    return Run("prune-backups", where, shells, False, journal(runbook="prune-backups", run_id=RUN))


def prune(store: Store) -> Run:
    """Prune, as a run does."""
    run = open_run(store)
    job = look(run)
    run.begin(TakeUp(run.journal), RUN)
    procedure(run, job)
    run.finish()
    return run


def names(store: Store) -> list[SetName]:
    return [stored.name for stored in store.catalogue().sets]


def steps(run: Run) -> list[tuple[str, str]]:
    return [(record.number, record.outcome) for record in run.journal.records]


def test_what_the_policy_does_not_count_is_gone_and_on_record(
    store: Store, nights: Callable[..., list[SetName]]
) -> None:
    made = nights(4, {0, 1, 2, 3})
    run = prune(store)
    found = store.catalogue()
    assert names(store) == [made[3]]
    assert [(entry.removed, entry.reason) for entry in found.entries[-3:]] == [
        (str(name), "the policy does not count it") for name in made[:3]
    ]
    assert (found.removing, found.problems) == ((), ())
    left = sorted(path.name for path in (Path(store.base) / made[0].folder).iterdir())
    assert left == sorted([made[3].stamp, *(f"{name.stamp}.records" for name in made)])
    assert steps(run) == [*[("1", "answered")] * 4, ("3", "done"), ("4", "done"), ("5", "done")]


def test_pruning_twice_changes_nothing(store: Store, nights: Callable[..., list[SetName]]) -> None:
    nights(3, {0, 1, 2})
    prune(store)
    before = store.catalogue()
    assert steps(prune(store)) == [("1", "answered"), ("3", "left out")]
    assert store.catalogue() == before


def test_nothing_goes_while_the_latest_is_not_verified(store: Store, nights: Callable[..., list[SetName]]) -> None:
    made = nights(4, {0, 1, 2})
    run = prune(store)
    assert names(store) == made
    said = {record.sentence: record.note for record in run.journal.records if record.number == "1"}
    assert f"{made[3]}, which is later, is not verified" in said[f"Keep {made[0]}"]
    store.record(made[3], verification(3))
    prune(store)
    assert names(store) == made[3:]


def test_a_pinned_set_stays_and_its_pin_is_told(store: Store, nights: Callable[..., list[SetName]]) -> None:
    made = nights(3, {0, 1, 2})
    store.record(made[0], Pinned(at=START, by="Jane Doe", why="before the upgrade"))
    run = prune(store)
    assert names(store) == [made[0], made[2]]
    assert run.journal.findings == [f"{made[0]} was pinned by Jane Doe: before the upgrade"]
    store.record(made[0], Unpinned(at=START, by="Jane Doe"))
    prune(store)
    assert names(store) == made[2:]


def test_a_pin_that_ends_is_not_ended_by_a_clock_that_is_wrong(
    store: Store, nights: Callable[..., list[SetName]]
) -> None:
    made = nights(3, {0, 1, 2})
    store.record(made[0], Pinned(at=START, by="Jane Doe", until=START + timedelta(days=2)))
    sets = store.catalogue().sets
    years = timedelta(days=3650)
    assert [each.pinned for each in backups(sets, [], START + years)] == [False] * 3
    store.record(made[0], Pinned(at=START, by="Jane Doe", until=START + timedelta(days=2, seconds=1)))
    sets = store.catalogue().sets
    assert backups(sets, [], START + years)[0].pinned
    assert backups(sets, [], START - years)[0].pinned


def test_a_removal_that_was_cut_short_is_gone_on_with(store: Store, nights: Callable[..., list[SetName]]) -> None:
    made = nights(3, {0, 1, 2})
    sets = store.catalogue().sets
    store.shell.run(put_aside(store, sets[:2]))
    store.shell.run(delete(store, made[:1]))
    run = prune(store)
    assert names(store) == made[2:]
    assert store.catalogue().removing == ()
    assert [entry.reason for entry in store.catalogue().entries[-2:]] == [
        "its removal was begun by a run that was killed"
    ] * 2
    assert steps(run) == [("1", "answered"), ("4", "done"), ("5", "done")]


def test_what_a_killed_run_has_sealed_is_put_into_the_catalogue_first(
    store: Store, nights: Callable[..., list[SetName]]
) -> None:
    made = nights(3, {0, 1})
    (Path(store.base) / "catalogue/00000004.json").unlink()
    strange = Path(store.base) / replace(made[0], stamp=name_of(9).stamp).folder / name_of(9).stamp
    strange.mkdir()
    run = prune(store)
    assert names(store) == made, "the set that is new in the catalogue is not verified, and keeps the others"
    assert steps(run)[-2:] == [("2", "done"), ("3", "left out")]
    assert store.catalogue().entries[-1].event == "found"
    assert "is not in the catalogue, and is left alone" in run.journal.findings[-1]
    assert strange.exists()


def test_a_damaged_set_stays_and_is_told(store: Store, nights: Callable[..., list[SetName]]) -> None:
    made = nights(4, {0, 1, 2, 3})
    (Path(store.base) / str(made[1]) / "manifest.json").write_text("{}")
    run = prune(store)
    assert names(store) == [made[1], made[3]]
    assert run.journal.findings == [
        f"{made[1]}: its manifest is not the one that was sealed; it is not counted, and stays"
    ]


def test_a_site_whose_newest_verified_backup_is_too_old_is_told_so_also_where_none_ran(
    store: Store, nights: Callable[..., list[SetName]]
) -> None:
    assert prune(store).journal.findings == ["there is no backup"]
    nights(2, {0, 1})
    assert prune(store).journal.findings == [
        "the newest verified undercloud logical by backup-undercloud is 49 h old; at most 26 h are wanted"
    ]


def test_a_catalogue_that_can_not_be_relied_on_is_a_refusal(store: Store, nights: Callable[..., list[SetName]]) -> None:
    nights(3, {0, 1, 2})
    catalogue = Path(store.base) / "catalogue"
    (catalogue / "00000002.json").unlink()
    with pytest.raises(Refused, match="entry 2 is missing from the catalogue"):
        look(open_run(store))
    shutil.rmtree(catalogue)
    with pytest.raises(Refused, match="their catalogue is gone"):
        look(open_run(store))
    shutil.rmtree(store.settings.path)
    with pytest.raises(Refused, match="is the store mounted"):
        look(open_run(store))


def test_a_site_without_a_store_is_told_what_to_write(store: Store) -> None:
    run = open_run(store)
    run.site = SITE
    with pytest.raises(RunbookError, match=r"\[store\]"):
        look(run)


def test_another_site_s_backups_are_not_looked_at(store: Store, nights: Callable[..., list[SetName]]) -> None:
    nights(2, {0, 1})
    assert look(open_run(store, "prod")).decisions == ()


def test_the_plan_is_the_golden_one(store: Store, nights: Callable[..., list[SetName]]) -> None:
    made = nights(4, {0, 1, 2, 3})
    store.record(made[1], Pinned(at=START, by="Jane Doe"))
    job = look(open_run(store))
    settings = BackupStore(kind="sftp", host="192.0.2.9", path="/backups")
    plan = Plan()
    procedure(plan, replace(job, store=Store(FakeShell("backup-node"), settings, "lab")))
    assert_golden("prune-backups", plan)
    assert job.summary == "2 of 4 backups go, with 0.0 GiB; the catalogue of site lab has 5 entries"


def test_a_set_that_is_pinned_while_others_go_stays(store: Store, nights: Callable[..., list[SetName]]) -> None:
    made = nights(3, {0, 1, 2})
    run = open_run(store)
    job: Pruning = look(run)
    store.record(made[0], Pinned(at=START, by="Jane Doe"))
    run.begin(TakeUp(run.journal), RUN)
    with pytest.raises(RunbookError, match="something was put on record"):
        procedure(run, job)
    run.close()
    assert names(store) == made


@pytest.fixture
def reports(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reports of runs that are taken whole, from the site's block to the report."""
    written: list[str] = []

    def publish(entry: Journal, outcome: str, *more: Any) -> None:
        written.append(render(entry, departures_of("prune-backups"), outcome, *more))

    hosts = SITE.hosts | {"backup-node": "192.0.2.9"}
    site = SITE.model_copy(update={"store": store.settings, "hosts": hosts, "backup_node": "backup-node"})
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", RUN)
    monkeypatch.setattr(tasks.engine.runbook, "publish", publish)
    monkeypatch.setattr(tasks.engine.runbook, "locked", lambda *_: nullcontext())
    monkeypatch.setattr(tasks.engine.runbook, "load_site", lambda _: site)
    monkeypatch.setattr(Site, "shell", lambda _, host: store.shell)
    return written


def take(dry_run: bool) -> None:
    """Take the flow's own work, as its deployment does."""
    assert prune_backups.name == NAME
    carry_out(NAME, lambda *_: [BACKUP_NODE], prune_backups.fn.__wrapped__("lab"), {"site": "lab", "dry_run": dry_run})  # type: ignore[attr-defined]


def test_a_dry_run_says_of_each_set_why_and_changes_nothing(
    store: Store, nights: Callable[..., list[SetName]], reports: list[str], tmp_path: Path
) -> None:
    made = nights(3, {0, 1, 2})
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")}
    take(dry_run=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")} == before
    (report,) = reports
    assert report.startswith("# prune-backups on lab: dry run\n\nNo document of Red Hat's has it: what the section")
    assert f"1. Remove {made[0]} [backup-node]\n     (answered the policy does not count it)" in report
    assert f"1. Keep {made[2]} [backup-node]" in report
    assert "- 2 of 3 backups go, with 0.0 GiB; the catalogue of site lab has 4 entries" in report
    assert "Departures" not in report


def test_the_report_has_a_row_for_each_set(
    store: Store, nights: Callable[..., list[SetName]], reports: list[str]
) -> None:
    made = nights(2, {0, 1})
    take(dry_run=False)
    (report,) = reports
    assert report.startswith("# prune-backups on lab: completed")
    assert f"| 1 | Remove {made[0]} | backup-node | answered: the policy does not count it |" in report
    assert f"| 1 | Keep {made[1]} | backup-node | answered: the latest {LOGICAL}; " in report
    assert names(store) == made[1:]
