"""Which hosts are asked whether they can take a drill, and in which order: verify-backup and the backups' own proof ask alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.backup.store import Store
from tasks.runbooks.verify_backup import host_choice
from tasks.runbooks.verify_backup.drill_host import Needs
from tasks.runbooks.verify_backup.host_choice import find_host
from tests.unit.fakes import FakeShell
from tests.unit.tasks.backup.samples import make_store
from tests.unit.tasks.runbooks.verify_backup.samples import IMAGE, fit, host, run_of

pytestmark = pytest.mark.usefixtures("no_engine")
NEEDS = Needs((IMAGE,), ("podman",), 1, 2**41)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(host_choice, "serves_clients", lambda *_: "")
    made = make_store(tmp_path)
    return Store(host("backup-node"), made.settings, "lab")


def refused(store: Store, source: FakeShell | None, **settings: object) -> list[str]:
    """The hosts that were asked, in their order, where none of them has anything."""
    hosts = [host(name) for name in ("controller-1", "undercloud", "controller-0")]
    known = [source if source and each.name == source.name else each for each in hosts]
    asked = Store(store.shell, store.settings.model_copy(update=settings), "lab")
    run = run_of(asked, *known)
    assert find_host(run, asked, NEEDS, source) is None
    return list(dict.fromkeys(check.where for check in run.checks))


def test_the_stores_host_is_asked_first_and_the_cluster_last(store: Store) -> None:
    assert refused(store, None) == ["backup-node", "undercloud", "controller-1", "controller-0"]


def test_the_host_that_is_backed_up_comes_last_and_in_a_cluster_not_at_all(store: Store) -> None:
    assert refused(store, host("undercloud")) == ["backup-node", "controller-1", "controller-0", "undercloud"]
    assert refused(store, host("controller-1")) == ["backup-node", "undercloud", "controller-0"]


def test_the_host_that_the_site_names_is_asked_alone_even_if_it_is_backed_up(store: Store) -> None:
    assert refused(store, host("controller-1"), drill_host="controller-1") == ["controller-1"]


def test_the_stores_host_needs_no_room_for_files_that_it_has(store: Store) -> None:
    fitting = Store(host("backup-node", *fit()), store.settings, "lab")
    found = find_host(run_of(fitting), fitting, NEEDS)
    assert found is not None
    assert (found.shell.name, found.in_place) == ("backup-node", True)


def test_another_host_needs_room_for_the_files_unless_it_sees_them(store: Store) -> None:
    run = run_of(store, host("undercloud", *fit()))
    assert find_host(run, store, NEEDS) is None
    assert any("undercloud: has 1024.0 GiB free" in str(check) for check in run.checks)
    seen = Needs((IMAGE,), ("podman",), 1, 2**41, "/backups/manifest.json", "5" * 64)
    run = run_of(store, host("undercloud", *fit(f"manifest {'5' * 64}")))
    found = find_host(run, store, seen)
    assert found is not None
    assert (found.shell.name, found.in_place) == ("undercloud", True)
