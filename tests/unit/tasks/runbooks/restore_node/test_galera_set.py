"""Where Galera does not come back by itself, the command says which backup is restored: of the images' night, else the newest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blocks.remote.errors import Unreachable
from deployments.project import PROJECT
from tasks.backup.backup_set import SetName
from tasks.backup.choice import PATTERN
from tasks.backup.records import Imaged, NodeImage
from tasks.backup.store import Store
from tasks.runbooks.restore_node.galera_set import GaleraSet, find_set, read_set
from tests.unit.fakes import FakeShell
from tests.unit.flows.backup_cluster import make_backup
from tests.unit.tasks.backup.samples import START, make_store, run_id
from tests.unit.tasks.samples import HOSTS, SITE

IMAGES = [f"{host}/20261127T020000Z" for host in HOSTS]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def with_images(store: Store, name: SetName, number: int = 0, hosts: tuple[str, ...] = HOSTS) -> SetName:
    images = tuple(NodeImage(host=host, run="20261127T020000Z", size_bytes=1) for host in hosts)
    store.record(name, Imaged(at=START, run_id=run_id(number), images=images))
    return name


def found(store: Store, images: list[str] = IMAGES) -> GaleraSet:
    return find_set(store.catalogue(), images)


def test_the_backup_of_the_images_own_run_goes_before_a_newer_one(store: Store) -> None:
    own = with_images(store, make_backup(store, 0))
    make_backup(store, 1)
    hint = found(store).hint
    assert f"`prefect deployment run restore-galera -p site=lab -p backup={own}` (made with these images, and" in hint


def test_one_image_of_that_run_is_enough_to_know_it(store: Store) -> None:
    own = with_images(store, make_backup(store, 0))
    make_backup(store, 1)
    chosen = found(store, IMAGES[1:2])
    assert (chosen.stored and chosen.stored.name, chosen.of_the_images) == (own, True)


@pytest.mark.parametrize("why", ["not verified", "of other images", "no images"])
def test_else_it_is_the_newest_that_is_verified(store: Store, why: str) -> None:
    first = make_backup(store, 0, verified=why != "not verified")
    if why != "no images":
        with_images(store, first, hosts=HOSTS if why == "not verified" else HOSTS[:2])
    newest = make_backup(store, 1)
    make_backup(store, 2, verified=False)
    make_backup(store, 3, runbook="backup-undercloud", of="undercloud", host="undercloud")
    chosen = found(store)
    assert (chosen.stored and chosen.stored.name, chosen.of_the_images) == (newest, False)
    assert "(the newest that is verified)" in chosen.hint


def test_one_that_was_damaged_since_is_not_named(store: Store) -> None:
    own = with_images(store, make_backup(store, 0))
    (Path(store.base) / str(own) / "manifest.json").write_text("{}")
    chosen = found(store)
    assert chosen.stored is None
    assert "site lab has no verified backup of overcloud" in chosen.hint
    assert "`prefect deployment run restore-galera -p site=lab -p backup=ID`" in chosen.hint


def test_what_is_named_is_what_restore_galera_takes(store: Store) -> None:
    make_backup(store, 0)
    told = re.search(r"-p backup=(\S+)`", found(store).hint)
    assert told is not None
    assert re.fullmatch(PATTERN, told[1])
    assert store.catalogue().find(told[1]).verified


def test_a_store_that_does_not_answer_is_told_and_is_no_refusal(store: Store) -> None:
    site = SITE.model_copy(update={"store": store.settings})
    shell = FakeShell(otherwise=Unreachable("backup-node", "no route to host"))
    assert "backup-node: no route to host" in read_set(shell, site, IMAGES).hint


def test_the_runbook_is_deployed_by_the_name_that_is_named() -> None:
    assert "- name: restore-galera\n" in (PROJECT / "prefect.yaml").read_text()
