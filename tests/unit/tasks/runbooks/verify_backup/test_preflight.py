"""Which backup is verified and where; and what is refused, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tasks.runbooks.verify_backup.host_choice
from blocks.remote.errors import Refused, RunbookError
from tasks.backup.store import Store
from tasks.runbooks.verify_backup.drill import Outcome
from tasks.runbooks.verify_backup.preflight import look
from tests.unit.fakes import FakeShell
from tests.unit.tasks.backup.samples import RECIPIENT, make_store, name_of, run_id, verification
from tests.unit.tasks.runbooks.verify_backup.samples import (
    CONTENTS,
    COPY,
    FILES,
    fit,
    host,
    make_set,
    run_of,
    with_programs,
)
from tests.unit.tasks.samples import SITE

pytestmark = pytest.mark.usefixtures("no_engine")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One whose host has podman and the image."""
    (tmp_path / "store").mkdir()
    (tmp_path / "drills").mkdir()
    programs = with_programs(tmp_path / "bin", podman="exit 0")
    made = make_store(tmp_path / "store", path=programs, drill_directory="/x")
    made.settings.drill_directory = str(tmp_path / "drills")
    made.shell.name = "backup-node"
    return made


def without_image(store: Store, tmp_path: Path) -> None:
    with_programs(tmp_path / "bin", podman="exit 1")


def test_the_latest_sound_set_is_the_default(store: Store) -> None:
    made = [make_set(store, number) for number in range(3)]
    store.record(made[2], verification(2))
    (Path(store.base) / str(made[2]) / "manifest.json").write_text("{}")
    drill = look(run_of(store), "latest").drill
    assert drill is not None
    assert (drill.name, drill.shell, drill.in_place) == (made[1], store.shell, True)
    assert (drill.run_id, drill.directory) == (
        run_id(9),
        f"{store.settings.drill_directory}/openstack-runbooks-drill-lab",
    )


def test_the_latest_unverified_is_passed_over_where_all_are(store: Store) -> None:
    made = [make_set(store, number) for number in range(3)]
    store.record(made[2], verification(2))
    drill = look(run_of(store), "latest-unverified").drill
    assert drill is not None
    assert drill.name == made[1]
    for number in range(2):
        store.record(made[number], verification(number))
    job = look(run_of(store), "latest-unverified")
    assert (job.drill, job.summary) == (None, "every backup is verified: there is nothing to do")
    job.conclude()
    store.record(made[0], verification(0, differences=("a",)))
    drill = look(run_of(store), "latest-unverified").drill
    assert drill is not None
    assert drill.name == made[0], "a difference was found later"


def test_a_set_is_called_by_its_time(store: Store) -> None:
    made = [make_set(store, number) for number in range(2)]
    drill = look(run_of(store), "2026-11-27").drill
    assert drill is not None
    assert drill.name == made[0]
    with pytest.raises(RunbookError, match="site lab has no such set"):
        look(run_of(store), "2025")


def test_without_a_store_or_a_backup_there_is_nothing_to_verify(store: Store) -> None:
    with pytest.raises(RunbookError, match="has no backup that could be verified"):
        look(run_of(store), "latest")
    run = run_of(store)
    run.site = SITE
    with pytest.raises(RunbookError, match=r"write a section \[store\]"):
        look(run, "latest")


def test_a_changed_manifest_is_named(store: Store) -> None:
    name = make_set(store)
    (Path(store.base) / str(name) / "manifest.json").write_text("{}")
    with pytest.raises(RunbookError, match="its manifest is not the one that was sealed"):
        look(run_of(store), str(name))


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ({"image": ""}, "does not say of which image the server of undercloud was"),
        ({"contents": {}}, "does not say what is in undercloud"),
        ({"contents": {"version": 3, "more": 4}}, "can't be read as an inventory"),
    ],
)
def test_a_manifest_that_says_too_little_is_refused(store: Store, database: dict[str, Any], said: str) -> None:
    make_set(store, **database)
    with pytest.raises(Refused, match=said):
        look(run_of(store), "latest")


def make_encrypted_set(store: Store, tmp_path: Path) -> None:
    with_programs(tmp_path / "bin", age="cat", **{"age-keygen": f"echo {RECIPIENT}"})
    encrypting = Store(store.shell, store.settings.model_copy(update={"age_recipient": RECIPIENT}), "lab")
    make_set(encrypting)


def test_what_is_encrypted_is_refused_where_nobody_knows_of_the_private_key(store: Store, tmp_path: Path) -> None:
    make_encrypted_set(store, tmp_path)
    with pytest.raises(Refused, match=rf"is encrypted to {RECIPIENT}, and the site .* set `age_identity` of \[store\]"):
        look(run_of(store), "latest")


def test_what_is_encrypted_is_verified_where_the_private_key_is(store: Store, tmp_path: Path) -> None:
    make_encrypted_set(store, tmp_path)
    key = tmp_path / "key"
    with pytest.raises(Refused, match=f"backup-node: has not the private key of {RECIPIENT} in {key}"):
        look(run_of(store, age_identity=str(key)), "latest")
    key.write_text("AGE-SECRET-KEY-1\n")
    drill = look(run_of(store, age_identity=str(key)), "latest").drill
    assert drill is not None
    assert {file.recipient for restore in drill.restores for file in restore.files} == {RECIPIENT}


AFTER = CONTENTS.model_dump(mode="json")


def test_a_dump_and_a_physical_copy_are_restored_one_after_the_other(store: Store) -> None:
    make_set(store, 0, FILES | COPY, contents_after_copy=AFTER)
    job = look(run_of(store), "latest")
    assert job.drill is not None
    assert [(each.method, [file.name for file in each.files]) for each in job.drill.restores] == [
        ("logical", ["undercloud.sql", "undercloud-grants.sql"]),
        ("physical", ["undercloud.mbstream"]),
    ]
    assert job.summary.endswith("undercloud (logical) and undercloud (physical)")
    assert job.findings == ()


def test_a_copy_that_nothing_can_be_compared_with_is_told_and_refused_alone(store: Store) -> None:
    make_set(store, 0, COPY)
    with pytest.raises(Refused, match="holds nothing that can be verified \\(physical copy\\)"):
        look(run_of(store), "latest")
    make_set(store, 1, FILES | COPY)
    job = look(run_of(store), "latest")
    assert job.findings == (
        f"{name_of(1)}: the physical copy of undercloud can't be verified: the manifest does not say what was in it afterwards",
    )
    assert job.drill is not None
    assert [each.method for each in job.drill.restores] == ["logical"]


def test_what_was_read_after_a_copy_must_be_an_inventory(store: Store) -> None:
    make_set(store, 0, FILES | COPY, contents_after_copy={"version": 3})
    with pytest.raises(Refused, match="what the manifest says of undercloud can't be read as an inventory"):
        look(run_of(store), "latest")


def test_a_set_whose_copy_is_not_verified_is_one_that_is_not(store: Store) -> None:
    name = make_set(store, 0, FILES | COPY, contents_after_copy=AFTER)
    store.record(name, verification(0))
    assert look(run_of(store), "latest-unverified").drill is not None
    store.record(name, verification(0, method="physical"))
    assert look(run_of(store), "latest-unverified").drill is None


def test_missing_and_cut_files_are_damage_before_anything_is_restored(store: Store) -> None:
    name = make_set(store)
    (Path(store.base) / str(name) / "undercloud.sql").write_text("-- Dump")
    job = look(run_of(store), "latest")
    assert job.damage == ("undercloud.sql has 7 bytes instead of 18",)
    assert job.summary == f"{name} is damaged, and is not restored"


def candidates() -> tuple[FakeShell, FakeShell, FakeShell]:
    return host("undercloud", *fit()), host("controller-0", *fit()), host("controller-1", *fit())


def test_where_the_backup_node_can_not_the_undercloud_is_the_host(store: Store, tmp_path: Path) -> None:
    make_set(store)
    without_image(store, tmp_path)
    drill = look(run_of(store, *candidates()), "latest").drill
    assert drill is not None
    assert (drill.shell.name, drill.in_place) == ("undercloud", False)


def test_a_controller_is_the_host_last_and_only_without_clients(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_set(store)
    without_image(store, tmp_path)
    _, *controllers = candidates()
    busy = {"controller-0": "serves 31 connections of clients", "controller-1": ""}
    monkeypatch.setattr(tasks.runbooks.verify_backup.host_choice, "serves_clients", lambda shell, _: busy[shell.name])
    undercloud = host("undercloud", "program podman", "memory 0")
    drill = look(run_of(store, undercloud, *controllers), "latest").drill
    assert drill is not None
    assert drill.shell.name == "controller-1"
    busy["controller-1"] = "serves 3 connections of clients"
    with pytest.raises(Refused) as error:
        look(run_of(store, undercloud, *controllers), "latest")
    said = str(error.value)
    for each in (
        "backup-node: has not the image 0a1b2c3d",
        "undercloud: has 0.0 GiB of memory",
        "undercloud: has no directory",
        "controller-0: serves 31 connections",
        "controller-1: serves 3 connections",
    ):
        assert each in said


def test_the_host_that_the_site_names_is_the_only_one(store: Store, tmp_path: Path) -> None:
    make_set(store)
    drill = look(run_of(store, host("controller-1", *fit()), drill_host="controller-1"), "latest").drill
    assert drill is not None
    assert drill.shell.name == "controller-1"
    with pytest.raises(Refused, match="controller-1: has no podman: install it"):
        look(run_of(store, host("controller-1", f"free {2**40}"), drill_host="controller-1"), "latest")


def test_a_host_that_sees_the_store_needs_nothing_fetched(store: Store) -> None:
    make_set(store)
    sha256 = store.catalogue().sets[0].sealed.manifest_sha256
    mounted = host("controller-1", *fit(f"manifest {sha256}"))
    drill = look(run_of(store, mounted, drill_host="controller-1"), "latest").drill
    assert drill is not None
    assert drill.in_place
    assert drill.source(drill.restores[0].files[0]) == f"{store.base}/{drill.name}/undercloud.sql"


def test_the_run_ends_with_what_differs(store: Store) -> None:
    make_set(store)
    job = look(run_of(store), "latest")
    job.conclude()
    job.outcomes.append(Outcome("undercloud", "logical", 3.5, ("table a: is missing", "table b: is missing"), ()))
    with pytest.raises(
        RunbookError, match="what its manifest says: undercloud: table a: is missing, and 1 more differ"
    ):
        job.conclude()
