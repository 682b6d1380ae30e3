"""verify-backup finds each kind of damage by its own steps, on a real server; calls nothing healthy damaged; and leaves nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

import tasks.engine.journals
from blocks.remote.errors import RunbookError
from blocks.remote.units import LongCommand
from tasks.backup.records import Verified
from tasks.backup.store import Store
from tests.database.backups import Backup
from tests.database.drills import OWN_SERVER, DrillSite, run_at_once
from tests.database.local_server import LocalServer
from tests.database.test_damage import DAMAGES
from tests.unit.fakes import without_engine


@pytest.fixture
def site(target: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DrillSite]:
    monkeypatch.setattr(tasks.engine.journals, "STATE_DIRECTORY", str(tmp_path / "journals"))
    for name, stand_in in run_at_once().items():
        monkeypatch.setattr(LongCommand, name, stand_in)
    without_engine(monkeypatch)
    made = DrillSite(tmp_path, target)
    made.prepare()
    with disable_run_logger():
        yield made


def latest_record(store: Store) -> Verified:
    record = store.catalogue().sets[-1].records[-1]
    assert isinstance(record, Verified)
    return record


def test_a_whole_backup_is_verified_and_how_long_it_took_is_on_record(site: DrillSite, backup: Backup) -> None:
    site.keep(backup)
    run, job = site.verify()
    job.conclude()
    (stored,) = site.store.catalogue().sets
    record = latest_record(site.store)
    assert (record.differences, record.database, record.method, record.host) == (
        (),
        "overcloud",
        "logical",
        "backup-node",
    )
    assert record.restore_seconds > 0
    assert stored.verified == stored.kinds
    assert site.left == []
    assert run.journal.cleanups == []


def test_what_is_unusual_and_healthy_is_verified(site: DrillSite, healthy: Backup) -> None:
    site.keep(healthy)
    _, job = site.verify()
    job.conclude()
    assert latest_record(site.store).differences == ()


def test_the_server_is_started_anew_whatever_was_left_and_is_gone_afterwards(
    site: DrillSite, backup: Backup, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With what the container would run: its options, its system tables and its wait are MariaDB's own."""
    made = DrillSite(tmp_path_factory.mktemp("d"), site.target)  # a socket's path must be short
    made.prepare(OWN_SERVER)
    made.keep(backup)
    left = made.folder / "drills/openstack-runbooks-drill-lab/data"
    left.mkdir(parents=True)
    (left / "ibdata1").write_text("of a run that was killed")
    _, job = made.verify()
    job.conclude()
    assert latest_record(made.store).differences == ()
    assert made.left == []
    (run,) = [line for line in (made.folder / "podman.log").read_text().splitlines() if line.startswith("run ")]
    assert "--network=none" in run


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_a_finding_on_record_and_the_runs_end(kind: str, site: DrillSite, backup: Backup) -> None:
    damage, said = DAMAGES[kind]
    site.keep(damage(backup))
    run, job = site.verify()
    record = latest_record(site.store)
    assert any(said in difference for difference in record.differences), record.differences
    assert any(said in finding for finding in run.journal.findings)
    with pytest.raises(RunbookError, match="is not what its manifest says"):
        job.conclude()
    (stored,) = site.store.catalogue().sets
    assert stored.verified == frozenset()
    assert site.left == []


@pytest.mark.parametrize(
    ("before", "after"), [(b"uuid-150", b"uuid-\x0050"), (b"INSERT INTO `notes`", b"\\X\nINSERT INTO `notes`")]
)
def test_what_the_client_itself_refuses_is_a_finding(
    before: bytes, after: bytes, site: DrillSite, backup: Backup
) -> None:
    site.keep(backup.with_sql(backup.sql.replace(before, after, 1)))
    site.verify()
    assert latest_record(site.store).differences[0].startswith("the dump can't be loaded: ERROR")


def on_disk(change: Callable[[bytes], bytes], file: str = "overcloud.sql.zst") -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / file
        path.write_bytes(change(path.read_bytes()))

    return damage


def flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def repacked(data: bytes) -> bytes:
    """Other bytes of which the same text comes: as much as a checksum alone finds."""
    text = subprocess.run(["zstd", "-dqc"], input=data, capture_output=True, check=True).stdout
    made = subprocess.run(["zstd", "-qc", "-19", "--no-check"], input=text, capture_output=True, check=True).stdout
    frames = b"\x50\x2a\x4d\x18"  # a frame that is skipped fills it up to its old size
    rest = len(data) - len(made) - 8
    assert rest >= 0
    return made + frames + rest.to_bytes(4, "little") + bytes(rest)


# What happens to the files of a set that was verified, while it lies on the store → what is said of it.
ROTTEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a bit of the stream flipped": (on_disk(flipped), "was changed: its checksum is another"),
    "packed anew": (on_disk(repacked), "was changed: its checksum is another"),
    "the stream cut at its end": (on_disk(lambda data: data[:-1]), "bytes instead of"),
    "the stream cut in its middle": (on_disk(lambda data: data[: len(data) // 2]), "bytes instead of"),
    "emptied": (on_disk(lambda data: b""), "has 0 bytes instead of"),
    "the dump gone": (lambda folder: (folder / "overcloud.sql.zst").unlink(), "overcloud.sql.zst is missing"),
    "the grants gone": (lambda folder: (folder / "overcloud-grants.sql").unlink(), "overcloud-grants.sql is missing"),
    "a byte of the grants": (
        on_disk(lambda data: data.replace(b"PROCESS", b"RELOAD "), "overcloud-grants.sql"),
        "overcloud-grants.sql was changed",
    ),
    "a file more": (lambda folder: (folder / "more.sql").touch(), "more.sql is none of its files"),
}


@pytest.mark.parametrize("kind", ROTTEN)
def test_a_verified_set_that_rots_on_the_store_is_verified_no_more(kind: str, site: DrillSite, backup: Backup) -> None:
    name = site.keep(backup)
    site.verify()
    assert site.store.catalogue().sets[0].verified
    damage, said = ROTTEN[kind]
    damage(Path(site.store.base) / str(name))
    _, job = site.verify(number=100)
    assert any(said in difference for difference in latest_record(site.store).differences)
    assert not site.store.catalogue().sets[0].verified
    with pytest.raises(RunbookError, match="is not what its manifest says"):
        job.conclude()
    assert site.left == []


def test_a_manifest_changed_by_hand_is_refused(site: DrillSite, backup: Backup) -> None:
    manifest = Path(site.store.base) / str(site.keep(backup)) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"rows": 300', '"rows": 299'))
    with pytest.raises(RunbookError, match="has no backup that could be verified"):
        site.verify()
    with pytest.raises(RunbookError, match="its manifest is not the one that was sealed"):
        site.verify("2026-11-27")


def test_a_set_that_was_never_sealed_is_no_backup(site: DrillSite, backup: Backup) -> None:
    name = site.keep(backup)
    folder = Path(site.store.base) / str(name)
    partial = Path(site.store.base) / name.folder / ".2026-11-28T01-30-00Z-00000001.partial/set"
    partial.mkdir(parents=True)
    for file in folder.iterdir():
        (partial / file.name).write_bytes(file.read_bytes())
    _, job = site.verify()
    assert job.drill is not None
    assert job.drill.name == name
    with pytest.raises(RunbookError, match="has no such set"):
        site.verify("2026-11-28")


def test_a_server_that_goes_away_says_nothing_of_the_backup(
    site: DrillSite, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.keep(backup)
    program = site.folder / "bin/podman"
    program.write_text(program.read_text().replace("    exec ", '    [[ "$*" != *packet* ]] || exit 137\n    exec '))
    with pytest.raises(RunbookError, match="did not take the dump: the client ended with code 137"):
        site.verify()
    assert site.store.catalogue().sets[0].records == ()
    assert site.left == []
