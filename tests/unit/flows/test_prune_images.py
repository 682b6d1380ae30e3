"""prune-backups and the images that belong to sets: they go with them, are counted as theirs, and what is no set's stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import tasks.engine.journals
import tasks.runbooks.prune_backups.pruning
from flows.prune_backups import procedure
from tasks.backup.backup_set import SetName
from tasks.backup.records import Imaged, NodeImage, Pinned
from tasks.backup.removal import put_aside
from tasks.backup.store import Store
from tasks.engine.run import Run, TakeUp
from tasks.runbooks.prune_backups.pruning import Pruning, look
from tests.unit.flows.test_prune_backups import RETENTION, RUN, open_run
from tests.unit.tasks.backup.samples import START, make_set, make_store, run_id, verification

pytestmark = pytest.mark.usefixtures("no_engine")
NODES = ("controller-0", "controller-1")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    (tmp_path / "store").mkdir()
    monkeypatch.setattr(tasks.engine.journals, "STATE_DIRECTORY", str(tmp_path / "journals"))
    monkeypatch.setattr(tasks.runbooks.prune_backups.pruning, "now", lambda: START + timedelta(days=9))
    made = make_store(tmp_path / "store", retention=RETENTION)
    made.shell.name = "backup-node"
    return made


def images(store: Store) -> list[str]:
    root = Path(store.settings.path) / "images"
    return sorted(str(path.relative_to(root)) for path in root.glob("*/*Z"))


def make_image(store: Store, path: str, whole: bool = True) -> NodeImage:
    """What ReaR leaves on the store."""
    folder = Path(store.settings.path) / "images" / path
    folder.mkdir(parents=True)
    (folder / "backup.tar.gz").write_bytes(b"0" * 5000)
    if whole:
        (folder / "SHA256SUMS").write_text("0  backup.tar.gz\n")
    host, _, run = path.partition("/")
    return NodeImage(host=host, run=run, size_bytes=8192)


@pytest.fixture
def night(store: Store) -> Callable[..., SetName]:
    """Makes a verified set of a night, with images of nodes."""

    def night(number: int, nodes: tuple[str, ...] = NODES) -> SetName:
        name = make_set(store, number)
        made = tuple(make_image(store, f"{node}/2026112{number}T020000Z") for node in nodes)
        if made:
            store.record(name, Imaged(at=START, run_id=run_id(number), images=made))
        store.record(name, verification(number))
        return name

    return night


def prune(store: Store) -> tuple[Run, Pruning]:
    run = open_run(store)
    job = look(run)
    run.begin(TakeUp(run.journal), RUN)
    procedure(run, job)
    run.finish()
    return run, job


def test_images_go_with_their_set(store: Store, night: Callable[..., SetName]) -> None:
    for number in range(3):
        night(number)
    run, job = prune(store)
    assert images(store) == [f"{node}/20261122T020000Z" for node in NODES]
    assert "2 of 3 backups and 4 images go" in job.summary
    assert [record.number for record in run.journal.records if record.outcome == "done"] == ["3", "3a", "4", "5"]
    prune(store)
    assert len(images(store)) == 2


def test_the_latest_image_of_a_node_stays_though_later_sets_have_none(
    store: Store, night: Callable[..., SetName]
) -> None:
    night(0)
    night(1, NODES[:1])
    night(2, ())
    night(3, ())
    run, _ = prune(store)
    assert images(store) == [
        "controller-0/20261120T020000Z",
        "controller-0/20261121T020000Z",
        "controller-1/20261120T020000Z",
    ]
    notes = {record.sentence: record.note for record in run.journal.records}
    first = next(note for sentence, note in notes.items() if sentence.startswith("Keep") and "controller-1" in note)
    assert "the latest verified image of controller-1 by backup-undercloud" in first


def test_an_image_that_is_not_whole_any_more_is_told_and_does_not_count(
    store: Store, night: Callable[..., SetName]
) -> None:
    night(0)
    night(1)
    (Path(store.settings.path) / "images/controller-0/20261121T020000Z/SHA256SUMS").unlink()
    run, _ = prune(store)
    assert any(
        "its image controller-0/20261121T020000Z is gone, or not whole any more" in told
        for told in run.journal.findings
    )
    assert "controller-0/20261120T020000Z" in images(store), "the latest that is whole"


def test_what_is_no_set_s_stays_and_is_told_with_its_size(store: Store, night: Callable[..., SetName]) -> None:
    night(0)
    make_image(store, "controller-0/20261125T020000Z", whole=False)
    make_image(store, "stranger/20261125T020000Z")
    run, _ = prune(store)
    assert "controller-0/20261125T020000Z" in images(store)
    told = [finding for finding in run.journal.findings if "is no backup's (0.0 GiB)" in finding]
    assert len(told) == 1, "of hosts of which no set has an image, nothing is known"


def test_what_a_killed_run_has_put_aside_takes_its_images_along(store: Store, night: Callable[..., SetName]) -> None:
    night(0)
    night(1)
    store.shell.run(put_aside(store, store.catalogue().sets[:1]))
    _, job = prune(store)
    assert images(store) == [f"{node}/20261121T020000Z" for node in NODES]
    assert set(job.images) == {f"{node}/20261120T020000Z" for node in NODES}


def test_a_pinned_set_keeps_its_images(store: Store, night: Callable[..., SetName]) -> None:
    name = night(0)
    night(1)
    store.record(name, Pinned(at=START, by="jane"))
    prune(store)
    assert len(images(store)) == 4
