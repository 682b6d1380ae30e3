"""Sets are complete or absent, whatever is killed, full or cut short: the shell of writing, run for real in a folder."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tasks.backup.writing
from blocks.remote.command import Command, script
from blocks.remote.errors import CommandFailed, RunbookError
from tasks.backup.backup_set import parse_received
from tasks.backup.manifest import sha256_of
from tasks.backup.removal import abandon_words
from tasks.backup.store import Store
from tasks.backup.writing import begin, fetch, receive, seal, tell
from tests.unit.fakes import LocalShell
from tests.unit.tasks.backup.samples import (
    DUMP,
    RECIPIENT,
    START,
    folders,
    make_set,
    make_store,
    manifest_of,
    name_of,
    run_id,
)

WITHIN_S = 10.0


@pytest.fixture
def receiving(store: Store) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody who has begun to receive the dump of run 0, and waits for more of it."""
    begin(store, name_of(0), run_id(0), START)
    words = receive(store, name_of(0), "undercloud.sql.gz").words
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None
    process.stdin.write(b"-- half a dump\n")
    process.stdin.flush()
    new = Path(store.base) / name_of(0).partial / "set" / ".undercloud.sql.gz.new"
    deadline = time.monotonic() + WITHIN_S
    while not (new.exists() and new.stat().st_size):
        assert time.monotonic() < deadline, "nothing arrived"
        time.sleep(0.01)
    yield process
    kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_set_that_is_written_is_not_to_be_seen(store: Store) -> None:
    begin(store, name_of(), run_id(0), START)
    manifest_of(0, DUMP, store)
    found = store.catalogue()
    assert (found.sets, found.unlisted, found.partial) == ((), (), (name_of(),))


def test_what_a_killed_run_has_left_is_removed_by_the_next(store: Store, receiving: subprocess.Popen[bytes]) -> None:
    kill(receiving)
    said = begin(store, name_of(1), run_id(1), START)
    assert said == [f"{name_of(0).partial} was left half written by a run that was killed, and is removed"]
    assert folders(store) == [f".{name_of(1).stamp}.partial"]


def test_what_is_still_received_is_left_alone(store: Store, receiving: subprocess.Popen[bytes]) -> None:
    said = begin(store, name_of(1), run_id(1), START)
    assert said == [f"{name_of(0).partial} is still being written by a run that has ended"]
    assert receiving.stdin is not None
    receiving.stdin.write(b"-- the rest\n")
    out, _ = receiving.communicate(timeout=WITHIN_S)
    assert parse_received(out.decode()).sha256 == sha256_of("-- half a dump\n-- the rest\n")


def test_a_receiver_whose_shell_alone_was_killed_is_still_at_work(
    store: Store, receiving: subprocess.Popen[bytes]
) -> None:
    os.kill(receiving.pid, signal.SIGKILL)
    receiving.wait()
    assert begin(store, name_of(1), run_id(1), START)[0].endswith("is still being written by a run that has ended")
    assert receiving.stdin is not None
    os.killpg(receiving.pid, signal.SIGKILL)


def test_what_is_half_written_is_removed_once_nobody_receives_it(
    store: Store, receiving: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tuple(word.replace("flock -w 20", "flock -w 0.1") for word in abandon_words(store, name_of(0)))
    with pytest.raises(CommandFailed, match="is still being written"):
        store.shell.run(Command(words))
    kill(receiving)
    for _ in range(2):
        store.shell.run(Command(words))
        assert folders(store) == []


def test_nothing_of_a_sealed_set_is_removed_as_half_written(store: Store) -> None:
    name = make_set(store)
    store.shell.run(Command(abandon_words(store, name)))
    assert [stored.problem for stored in store.catalogue().sets] == [""]


def test_two_can_not_receive_one_file(
    store: Store, receiving: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.backup.writing, "_PATIENCE_S", 0.2)
    with pytest.raises(CommandFailed, match="somebody else receives"):
        store.shell.run(receive(store, name_of(0), "undercloud.sql.gz", stdin="another"))
    other = store.shell.run(receive(store, name_of(0), "grants.sql", stdin="GRANT"))
    assert parse_received(other.stdout).size_bytes == 5


def test_a_file_that_was_cut_short_can_be_received_again(store: Store, receiving: subprocess.Popen[bytes]) -> None:
    kill(receiving)
    seal(store, manifest_of(0, DUMP, store), START)
    assert len(store.catalogue().sets) == 1


def test_a_full_disk_fails_and_nothing_appears(store: Store, tmp_path: Path) -> None:
    begin(store, name_of(), run_id(0), START)
    words = receive(store, name_of(), "undercloud.sql.gz").words
    limited = ("bash", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$@"', "bash", *words)
    done = subprocess.run(limited, input=b"x" * 100_000, capture_output=True, timeout=WITHIN_S)
    assert done.returncode != 0
    assert b"File too large" in done.stderr
    assert done.stdout == b""
    assert [path.name for path in (Path(store.base) / name_of().partial / "set").iterdir()] == [
        ".undercloud.sql.gz.new"
    ]
    assert store.catalogue().sets == ()


def test_a_set_whose_name_is_taken_is_refused(store: Store) -> None:
    make_set(store)
    with pytest.raises(CommandFailed, match="is there already"):
        begin(store, name_of(), run_id(0), START)


def test_sealing_twice_is_sealing_once(store: Store) -> None:
    begin(store, name_of(), run_id(0), START)
    manifest = manifest_of(0, DUMP, store)
    assert seal(store, manifest, START) == seal(store, manifest, START)
    assert len(store.catalogue().entries) == 2


def test_another_manifest_for_a_sealed_set_is_refused(store: Store) -> None:
    begin(store, name_of(), run_id(0), START)
    manifest = manifest_of(0, DUMP, store)
    seal(store, manifest, START)
    with pytest.raises(CommandFailed, match="is another set"):
        seal(store, manifest.model_copy(update={"hosts": ("controller-0",)}), START)


def test_a_set_with_a_file_missing_or_cut_or_too_much_is_not_sealed(store: Store) -> None:
    begin(store, name_of(), run_id(0), START)
    manifest = manifest_of(0, DUMP, store)
    file = Path(store.base) / name_of().partial / "set" / "undercloud.sql.gz"
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(CommandFailed, match=r"undercloud\.sql\.gz is not there with its 10 bytes"):
        seal(store, manifest, START)
    file.write_bytes(content[:-1])
    with pytest.raises(CommandFailed, match="is not there with its 10 bytes"):
        seal(store, manifest, START)
    file.write_bytes(content)
    (file.parent / "more").touch()
    with pytest.raises(CommandFailed, match="files that the manifest does not tell of"):
        seal(store, manifest, START)
    assert store.catalogue().sets == ()
    (file.parent / "more").unlink()
    seal(store, manifest, START)
    assert len(store.catalogue().sets) == 1


def test_a_manifest_that_did_not_arrive_whole_seals_nothing(store: Store) -> None:
    begin(store, name_of(), run_id(0), START)
    manifest = manifest_of(0, DUMP, store)
    with pytest.raises(CommandFailed, match="the manifest did not arrive whole"):
        seal(replace_shell(store), manifest, START)
    assert store.catalogue().sets == ()
    seal(store, manifest, START)


class CuttingShell(LocalShell):
    """A connection that ends before all of the input has arrived."""

    def run(self, command, on_line=None):  # type: ignore[no-untyped-def]
        stdin = command.stdin[:-20] if command.stdin else command.stdin
        return super().run(replace(command, stdin=stdin), on_line)


def replace_shell(store: Store) -> Store:
    return Store(CuttingShell(), store.settings, store.site)


def test_another_site_s_set_is_refused(store: Store) -> None:
    begin(store, name_of(), run_id(0), START)
    manifest = manifest_of(0, DUMP, store, site="prod")
    with pytest.raises(RunbookError, match="a backup of site prod, and the store is that of lab"):
        seal(store, manifest, START)


def test_what_is_encrypted_lies_encrypted(tmp_path: Path) -> None:
    """A program that stands in for age: what matters is what is written, and whose size and checksum are told."""
    programs, root = tmp_path / "bin", tmp_path / "store"
    programs.mkdir()
    root.mkdir()
    age = programs / "age"
    age.write_text('#!/bin/bash\n[ "$1" = -r ] && printf "to %s:" "$2" && tr a-z n-za-m\n')
    age.chmod(0o755)
    store = make_store(root, path=programs, age_recipient=RECIPIENT, ionice="idle")
    begin(store, name_of(), run_id(0), START)
    got = parse_received(store.shell.run(receive(store, name_of(), "a.sql", stdin="secret")).stdout)
    file = root / "lab" / name_of().partial / "set" / "a.sql"
    assert file.read_text() == f"to {RECIPIENT}:frperg"
    assert (got.size_bytes, got.sha256) == (file.stat().st_size, sha256_of(file.read_text()))
    age.write_text("#!/bin/bash\ncat; exit 1\n")
    with pytest.raises(CommandFailed):
        store.shell.run(receive(store, name_of(), "b.sql", stdin="secret"))
    assert not (file.parent / "b.sql").exists()


def test_a_file_is_fetched_from_another_host(store: Store) -> None:
    begin(store, name_of(), run_id(0), START)
    write = script("head -c 500000 /dev/zero | gzip -n")
    got = fetch(store, name_of(), "a.sql.gz", LocalShell(), write)
    file = Path(store.base) / name_of().partial / "set" / "a.sql.gz"
    assert (got.size_bytes, got.sha256) == (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    told = tell(store, "a.sql.gz", got, "logical dump", "undercloud", "gzip")
    assert (told.compression, told.encryption, told.recipient) == ("gzip", "none", "")


def no_relay(*_: object) -> None:
    raise AssertionError("it goes through this process")


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """One that the source's host has mounted."""
    monkeypatch.setattr("tasks.backup.writing.relay", no_relay)
    (tmp_path / "mounted").mkdir()
    made = make_store(tmp_path / "mounted", kind="nfs")
    begin(made, name_of(), run_id(0), START)
    return made


def test_a_host_that_has_the_store_mounted_writes_there(mounted: Store) -> None:
    write = script('head -c "$1" /dev/zero | gzip -n', "500000", says="zeros")
    got = fetch(mounted, name_of(), "a.sql.gz", LocalShell(), write)
    file = Path(mounted.base) / name_of().partial / "set" / "a.sql.gz"
    assert (got.size_bytes, got.sha256) == (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    assert gzip.decompress(file.read_bytes()) == bytes(500000)


def test_a_dump_that_fails_half_way_on_its_way_to_a_mounted_store_is_told(mounted: Store) -> None:
    with pytest.raises(CommandFailed, match="exit code 2"):
        fetch(mounted, name_of(), "a.sql", LocalShell(), script("echo '-- half a dump'; exit 2"))
    assert mounted.catalogue().sets == ()


@pytest.mark.parametrize("settings", [{"kind": "sftp"}, {"kind": "nfs", "bandwidth_bytes_per_s": 2**30}])
def test_over_ssh_it_goes_where_the_site_says_so_or_limits_the_bandwidth(
    mounted: Store, settings: dict[str, Any]
) -> None:
    store = Store(mounted.shell, mounted.settings.model_copy(update=settings), "lab")
    with pytest.raises(AssertionError, match="through this process"):
        fetch(store, name_of(), "a.sql", LocalShell(), script("echo abc"))


def test_over_ssh_it_goes_from_a_host_that_may_not_write_to_the_store(mounted: Store) -> None:
    (Path(mounted.base) / name_of().partial).rename(Path(mounted.base) / "elsewhere")
    with pytest.raises(AssertionError, match="through this process"):
        fetch(mounted, name_of(), "a.sql", LocalShell(), script("echo abc"))


def test_over_ssh_it_goes_from_a_host_that_can_not_encrypt(mounted: Store, tmp_path: Path) -> None:
    host = LocalShell()
    host._environment["PATH"] = str(tmp_path / "bin")
    (tmp_path / "bin").mkdir()
    for program in ("bash", "flock", "true"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    settings = mounted.settings.model_copy(update={"age_recipient": RECIPIENT})
    with pytest.raises(AssertionError, match="through this process"):
        fetch(Store(mounted.shell, settings, "lab"), name_of(), "a.sql", host, script("echo abc"))


def test_a_dump_that_fails_half_way_is_told(store: Store) -> None:
    begin(store, name_of(), run_id(0), START)
    with pytest.raises(CommandFailed, match="exit code 2"):
        fetch(store, name_of(), "a.sql", LocalShell(), script("echo '-- half a dump'; exit 2"))
    assert store.catalogue().sets == ()


def test_what_is_written_otherwise_than_it_was_sent_is_found(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "tee").write_text('#!/bin/bash\ntr a b | exec /usr/bin/tee "$@"\n')
    (programs / "tee").chmod(0o755)
    store = make_store(tmp_path / "store", path=programs, ionice="none")
    (tmp_path / "store").mkdir()
    begin(store, name_of(), run_id(0), START)
    with pytest.raises(RunbookError, match="was written otherwise than it was sent"):
        fetch(store, name_of(), "a.sql", LocalShell(), script("echo abc"))
