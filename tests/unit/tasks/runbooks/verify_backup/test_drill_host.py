"""What a host has, what it lacks for a drill, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.backup.manifest import BackupFile
from tasks.database.desync import Candidate
from tasks.database.node_status import NodeStatus
from tasks.runbooks.verify_backup import drill_host
from tasks.runbooks.verify_backup.drill import CopyRestore, DumpRestore, StoredFile
from tasks.runbooks.verify_backup.drill_host import (
    EMPTY_SERVER_BYTES,
    Needs,
    Seen,
    data_bytes,
    lacks,
    look,
    needs_of,
    serves_clients,
)
from tests.unit.fakes import FakeShell, LocalShell
from tests.unit.tasks.backup.samples import RECIPIENT, make_store
from tests.unit.tasks.runbooks.verify_backup.samples import COPY, FILES, IMAGE, make_set, with_programs
from tests.unit.tasks.samples import SITE

GIB = 2**30
NEEDS = Needs(("0a1b",), ("podman", "zstd"), 10 * GIB, 2 * GIB, "/backups/manifest.json", "5" * 64)
FIT = Seen(frozenset(NEEDS.programs), frozenset(NEEDS.images), 4 * GIB, 12 * GIB, in_place=False)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (FIT, []),
        (Seen(frozenset({"zstd"}), frozenset(), 4 * GIB, 12 * GIB, False), ["has no podman: install it"]),
        (Seen(frozenset({"podman"}), FIT.images, 4 * GIB, 12 * GIB, False), ["has no zstd: install it"]),
        (
            Seen(FIT.programs, FIT.images, GIB - 1, 12 * GIB, False),
            ["has 1.0 GiB of memory available instead of 1.0 GiB"],
        ),
        (Seen(FIT.programs, FIT.images, GIB, 10 * GIB, True), []),
    ],
)
def test_what_a_host_lacks_is_told_with_the_remedy(seen: Seen, said: list[str]) -> None:
    assert lacks(NEEDS, seen, "/var/tmp") == said


def test_a_missing_image_says_how_it_is_had() -> None:
    (said,) = lacks(NEEDS, Seen(FIT.programs, frozenset(), 4 * GIB, 12 * GIB, False), "/var/tmp")
    assert said.startswith("has not the image 0a1b of the server that was backed up: `podman pull` it")


KEY = Needs(
    NEEDS.images, ("podman", "age", "age-keygen"), 1, 1, identity="/root/key", recipients=frozenset({RECIPIENT})
)


@pytest.mark.parametrize("keys", [frozenset(), frozenset({"age1another"})])
def test_a_host_without_the_private_key_says_which_it_lacks(keys: frozenset[str]) -> None:
    fit = Seen(frozenset(KEY.programs), FIT.images, 4 * GIB, 12 * GIB, in_place=True, keys=keys)
    (said,) = lacks(KEY, fit, "/var/tmp")
    assert said.startswith(f"has not the private key of {RECIPIENT} in /root/key: bring it there")
    assert lacks(KEY, replace(fit, keys=keys | {RECIPIENT}), "/var/tmp") == []


def test_a_host_without_age_is_not_asked_for_its_keys() -> None:
    seen = Seen(frozenset({"podman"}), FIT.images, 4 * GIB, 12 * GIB, in_place=True)
    assert lacks(KEY, seen, "/var/tmp") == ["has no age: install it", "has no age-keygen: install it"]


def test_a_host_tells_the_public_keys_of_what_it_has_and_nothing_else_of_it(tmp_path: Path) -> None:
    key = tmp_path / "key"
    programs = with_programs(tmp_path / "bin", podman="exit 1", **{"age-keygen": f'[ "$1" = -y ] && echo {RECIPIENT}'})
    needs = replace(KEY, identity=str(key))
    assert look(LocalShell(programs), needs, str(tmp_path)).keys == frozenset()
    key.write_text("AGE-SECRET-KEY-1\n")
    assert look(LocalShell(programs), needs, str(tmp_path)).keys == {RECIPIENT}
    with_programs(tmp_path / "bin", **{"age-keygen": "echo 'no key' >&2; exit 1"})
    assert look(LocalShell(programs), needs, str(tmp_path)).keys == frozenset()


def test_too_little_room_counts_what_is_fetched_first() -> None:
    (said,) = lacks(NEEDS, Seen(FIT.programs, FIT.images, GIB, 12 * GIB - 1, False), "/var/tmp")
    assert said.startswith("has 12.0 GiB free in /var/tmp, and the data may take 12.0 GiB: make room")
    (said,) = lacks(NEEDS, Seen(FIT.programs, FIT.images, GIB, None, True), "/srv")
    assert said.startswith("has no directory /srv: make it")


def test_what_is_compressed_grows_most() -> None:
    def file(compression: str) -> BackupFile:
        return BackupFile.model_validate(
            {
                "name": "a.sql",
                "role": "logical dump",
                "database": "overcloud",
                "size_bytes": 100,
                "sha256": "0" * 64,
                "compression": compression,
            }
        )

    assert [data_bytes(file(each)) for each in ("none", "gzip", "zstd")] == [200, 1200, 1500]


@pytest.mark.parametrize(("known", "expected"), [(0, 100 * 15), (700, 700)])
def test_a_copy_takes_what_the_data_took_and_restores_share_the_room(known: int, expected: int, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    make_set(store, 0, FILES | COPY, data_bytes=known)
    manifest = store.manifest(store.catalogue().sets[0])
    packed = manifest.files[-1].model_copy(update={"compression": "zstd"})
    manifest = manifest.model_copy(update={"files": (*manifest.files[:-1], packed)})
    dump = DumpRestore("undercloud", IMAGE, StoredFile("undercloud.sql"), StoredFile("undercloud-grants.sql"))
    copy = CopyRestore("undercloud", IMAGE, StoredFile("undercloud.mbstream", "zstd"))
    needs = needs_of(manifest, "/m", "5", [dump, copy])
    assert needs.data_bytes == EMPTY_SERVER_BYTES + expected, "the larger one's: they are restored one after the other"
    assert (needs.files_bytes, needs.programs, needs.images) == (100, ("podman", "zstd"), (IMAGE,))
    assert needs_of(manifest, "/m", "5", [dump]).data_bytes == EMPTY_SERVER_BYTES + 2 * len(FILES["undercloud.sql"][1])


def test_a_host_is_looked_at_as_it_is(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text("x\n")
    sha256 = "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac"
    needs = Needs(("0a1b", "ffff"), ("podman", "bash", "no-such-program"), 1, 1, str(manifest), sha256)
    programs = with_programs(tmp_path / "bin", podman='[ "${@: -1}" = 0a1b ]')
    seen = look(LocalShell(programs), needs, str(tmp_path))
    assert sorted([*seen.programs, *seen.images]) == ["0a1b", "bash", "podman"]
    assert seen.memory_bytes > 2**20
    assert seen.free_bytes is not None
    assert seen.free_bytes > 2**20
    assert seen.in_place
    manifest.write_text("another\n")
    seen = look(LocalShell(programs), needs, str(tmp_path / "nothing"))
    assert (seen.in_place, seen.free_bytes) == (False, None)


@pytest.mark.parametrize(("clients", "said"), [(0, ""), (31, "serves 31 connections of clients, to which")])
def test_a_host_that_serves_clients_is_none_for_a_drill(
    clients: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = Candidate(NodeStatus("Synced", "Primary", 3, "5f"), False, 0, clients)
    monkeypatch.setattr(drill_host, "read_candidate", lambda *_: candidate)
    shell = FakeShell().on("container ls", say="galera-bundle-podman-0\n")
    assert serves_clients(shell, SITE).startswith(said)
    assert bool(serves_clients(shell, SITE)) == bool(said)


def test_a_host_whose_database_can_not_be_asked_is_none_either() -> None:
    assert "no container has" in serves_clients(FakeShell().on("container ls", say="haproxy\n"), SITE)
