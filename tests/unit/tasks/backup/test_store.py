"""What is on a store, put on record, changed by hand, removed: the shell, run for real in a folder."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed, RunbookError
from tasks.backup.manifest import sha256_of
from tasks.backup.records import Pinned
from tasks.backup.removal import delete, put_aside, record_removal
from tasks.backup.store import Store
from tasks.backup.writing import begin, list_unlisted, read_unlisted
from tests.unit.tasks.backup.samples import (
    LOGICAL,
    PHYSICAL,
    START,
    elsewhere,
    folders,
    make_set,
    name_of,
    run_id,
    verification,
)


def test_a_set_is_whole_and_in_the_catalogue(store: Store) -> None:
    name = make_set(store)
    found = store.catalogue()
    assert [entry.event for entry in found.entries] == ["begun", "sealed"]
    (stored,) = found.sets
    assert (stored.name, stored.problem) == (name, "")
    assert stored.kinds == {LOGICAL}
    assert not stored.verified
    assert folders(store) == [name.stamp]
    manifest = store.manifest(stored)
    assert manifest.files[0].sha256 == sha256_of("-- a dump\n")
    assert store.check_files(name, manifest, sums=True) == []
    assert store.free_bytes() > 0


def test_nothing_was_ever_backed_up(store: Store) -> None:
    assert store.catalogue().sets == ()
    shutil.rmtree(store.settings.path)
    with pytest.raises(CommandFailed, match="is the store mounted"):
        store.catalogue()


def test_sites_have_catalogues_of_their_own(store: Store) -> None:
    make_set(store)
    other = elsewhere(store, "prod")
    assert other.catalogue().entries == ()
    make_set(other)
    assert [each.site for each in (store.catalogue(), other.catalogue())] == ["lab", "prod"]
    shutil.copy(Path(store.base) / "catalogue/00000002.json", Path(other.base) / "catalogue/00000003.json")
    assert "of site lab, and does not belong there" in other.catalogue().problems[0]


def test_a_changed_manifest_is_found(store: Store) -> None:
    name = make_set(store)
    file = Path(store.base) / str(name) / "manifest.json"
    file.write_text(file.read_text().replace("10.3.28", "10.3.29"))
    (stored,) = store.catalogue().sets
    assert stored.problem == "its manifest is not the one that was sealed"
    with pytest.raises(RunbookError, match="not the manifest that was sealed"):
        store.manifest(stored)
    file.unlink()
    (stored,) = store.catalogue().sets
    assert stored.problem == "its manifest is missing"
    with pytest.raises(RunbookError, match="can't be read"):
        store.manifest(stored)
    shutil.rmtree(file.parent)
    assert store.catalogue().sets[0].problem == "it is gone, and no run has removed it"


def test_missing_changed_and_strange_files_are_found(store: Store) -> None:
    files = {f"{letter}.sql": ("documented file", f"-- {letter}\n") for letter in "abc"}
    name = make_set(store, files=files)  # type: ignore[arg-type]
    manifest = store.manifest(store.catalogue().sets[0])
    folder = Path(store.base) / str(name)
    (folder / "a.sql").unlink()
    (folder / "b.sql").write_text("-- B\n")
    (folder / "c.sql").write_text("-- cc\n")
    (folder / ".hidden").touch()
    assert store.check_files(name, manifest, sums=True) == [
        "a.sql is missing",
        "b.sql was changed: its checksum is another",
        "c.sql has 6 bytes instead of 5",
        ".hidden is none of its files",
    ]
    assert "b.sql was changed: its checksum is another" not in store.check_files(name, manifest, sums=False)


def test_a_set_that_was_killed_before_it_was_in_the_catalogue_is_found(store: Store) -> None:
    name = make_set(store)
    (Path(store.base) / "catalogue/00000002.json").unlink()
    found = store.catalogue()
    assert (found.sets, found.unlisted) == ((), (name,))
    for _ in range(2):
        list_unlisted(store, read_unlisted(store, name), run_id(1), START)
    assert [entry.event for entry in store.catalogue().entries] == ["begun", "found"]


def test_a_strange_set_is_not_put_into_the_catalogue(store: Store) -> None:
    name = make_set(store)
    copied = replace(name, stamp=name_of(5).stamp)
    shutil.copytree(Path(store.base) / str(name), Path(store.base) / str(copied))
    with pytest.raises(RunbookError, match="the manifest of another set"):
        read_unlisted(store, copied)
    (Path(store.base) / "catalogue/00000002.json").unlink()
    (Path(store.base) / str(name) / "undercloud.sql.gz").unlink()
    with pytest.raises(RunbookError, match=r"undercloud\.sql\.gz is missing"):
        read_unlisted(store, name)


def test_a_missing_catalogue_is_told_and_not_made_anew(store: Store) -> None:
    name = make_set(store)
    shutil.rmtree(Path(store.base) / "catalogue")
    assert store.catalogue().missing
    with pytest.raises(RunbookError, match="their catalogue is gone"):
        begin(store, name_of(1), run_id(1), START)
    with pytest.raises(RunbookError, match="their catalogue is gone"):
        list_unlisted(store, read_unlisted(store, name), run_id(1), START)
    assert not (Path(store.base) / "catalogue").exists()


def test_an_entry_that_was_taken_away_or_changed_is_found(store: Store) -> None:
    for number in range(3):
        make_set(store, number)
    catalogue = Path(store.base) / "catalogue"
    kept = (catalogue / "00000003.json").read_text()
    (catalogue / "00000003.json").unlink()
    assert store.catalogue().problems == ("entry 3 is missing from the catalogue",)
    assert store.catalogue().unlisted == (name_of(1),)
    (catalogue / "00000003.json").write_text(kept.replace("01-30-00Z-00000001", "01-30-00Z-0000000a"))
    assert "00000004.json does not follow from the entry before it" in store.catalogue().problems[0]
    (catalogue / "00000003.json").write_text("{")
    assert "00000003.json can't be read" in store.catalogue().problems[0]
    (catalogue / "00000003.json").write_text(kept)
    assert store.catalogue().problems == ()


def test_records_come_in_their_order_and_beside_the_set(store: Store) -> None:
    name = make_set(store)
    store.record(name, verification(differences=("table a: 2 rows instead of 3",)))
    assert store.catalogue().sets[0].verified == frozenset()
    store.record(name, verification())
    store.record(name, Pinned(at=START, by="Jane Doe"))
    (stored,) = store.catalogue().sets
    assert stored.verified == {LOGICAL}
    assert [record.event for record in stored.records] == ["verified", "verified", "pinned"]
    assert sorted(path.name for path in (Path(store.base) / str(name)).iterdir()) == [
        "manifest.json",
        "undercloud.sql.gz",
    ]
    (Path(store.base) / name.records / "0002.json").write_text("half")
    (stored,) = store.catalogue().sets
    assert (stored.verified, stored.next_record) == (frozenset(), "0004.json")
    assert "0002.json is no record that can be read" in stored.problem


def test_two_who_write_at_the_same_time_both_come_in(store: Store) -> None:
    name = make_set(store)
    records = [verification(restore_seconds=seconds) for seconds in range(4)]
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda record: store.record(name, record), records)) == [None] * 4
    assert {each.restore_seconds for each in store.catalogue().sets[0].records} == set(range(4))  # type: ignore[union-attr]


def test_a_set_goes_and_is_on_record(store: Store) -> None:
    names = [make_set(store, number) for number in range(2)]
    store.record(names[0], verification())
    stored = store.catalogue().sets[0]
    for _ in range(2):  # each bears being done again
        store.shell.run(put_aside(store, [stored]))
        found = store.catalogue()
        assert ([each.name for each in found.sets], found.removing) == ([names[1]], (names[0],))
    for _ in range(2):
        store.shell.run(delete(store, names[:1]))
    for _ in range(2):
        record_removal(store, names[0], "the policy does not count it", run_id(9), START)
    found = store.catalogue()
    assert (found.removing, found.unlisted, found.problems) == ((), (), ())
    assert found.entries[-1].removed == str(names[0])
    assert len(found.entries) == 4
    assert folders(store) == [f"{names[0].stamp}.records", names[1].stamp]


def test_a_set_that_was_pinned_meanwhile_is_not_put_aside(store: Store) -> None:
    name = make_set(store)
    stored = store.catalogue().sets[0]
    store.record(name, Pinned(at=START, by="Jane Doe"))
    with pytest.raises(CommandFailed, match="something was put on record"):
        store.shell.run(put_aside(store, [stored]))
    assert store.catalogue().sets[0].problem == ""


def test_nothing_can_be_put_on_record_of_a_set_that_is_gone(store: Store) -> None:
    name = make_set(store)
    store.shell.run(put_aside(store, store.catalogue().sets))
    with pytest.raises(RunbookError, match="has no such set"):
        store.record(name, verification())


def test_a_set_is_found_by_the_beginning_of_its_stamp(store: Store) -> None:
    names = [make_set(store, number) for number in range(2)]
    found = store.catalogue()
    assert found.find(str(names[0])).name == names[0]
    assert found.find("2026-11-28").name == names[1]
    with pytest.raises(RunbookError, match="2 sets are called so"):
        found.find("2026-11")


def test_the_listing_bears_what_does_not_belong_there(store: Store) -> None:
    make_set(store)
    base = Path(store.base)
    (base / "notes.txt").touch()
    (base / "catalogue" / "notes").mkdir()
    (base / name_of().folder / "empty").mkdir()
    found = store.catalogue()
    assert len(found.sets) == 1
    assert found.unlisted == ()


def test_the_newest_verified_set_is_found(store: Store) -> None:
    names = [make_set(store, number) for number in range(4)]
    assert store.catalogue().newest_verified(LOGICAL) is None
    for number in (0, 1, 2):
        store.record(names[number], verification(number))
    (Path(store.base) / str(names[2]) / "manifest.json").unlink()
    found = store.catalogue()
    newest, before = found.newest_verified(LOGICAL), found.newest_verified(LOGICAL, START + timedelta(hours=1))
    assert newest is not None
    assert before is not None
    assert (newest.name, before.name) == (names[1], names[0])
    assert found.newest_verified(PHYSICAL) is None
