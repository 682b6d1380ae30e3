"""verify-backup prepares a physical copy and starts a server on it: each kind of damage is found, and nothing healthy is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

import tasks.engine.journals
from blocks.remote.errors import RunbookError
from blocks.remote.units import LongCommand
from tasks.backup.records import Verified
from tests.database.backups import Backup, back_up, packed, unpacked, with_copy
from tests.database.drills import OWN_SERVER, DrillSite, run_at_once
from tests.database.healthy import HEALTHY
from tests.database.local_server import LocalServer
from tests.database.sample import SAMPLE
from tests.database.test_dumping import writing
from tests.unit.fakes import without_engine


@pytest.fixture
def site(
    target: LocalServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DrillSite]:
    folder = tmp_path_factory.mktemp("d")  # a socket's path must be short
    monkeypatch.setattr(tasks.engine.journals, "STATE_DIRECTORY", str(folder / "journals"))
    for name, stand_in in run_at_once().items():
        monkeypatch.setattr(LongCommand, name, stand_in)
    without_engine(monkeypatch)
    made = DrillSite(folder, target)
    made.prepare(OWN_SERVER)
    with disable_run_logger():
        yield made


def restart(origin: LocalServer) -> None:
    """Every page is in its file afterwards, and none in the redo log alone."""
    origin.stop()
    origin.start()


@pytest.fixture(scope="module")
def copied(origin: LocalServer, backup: Backup) -> Backup:
    """The sample with a physical copy, while nobody writes."""
    origin.empty()
    origin.sql(SAMPLE)
    restart(origin)
    return with_copy(back_up(origin), origin)


def verify(site: DrillSite, backup: Backup) -> tuple[Verified, list[str]]:
    """What a drill of a copy puts on record, and what it tells."""
    site.keep(backup)
    run, job = site.verify()
    record = site.store.catalogue().sets[-1].records[-1]
    assert isinstance(record, Verified)
    assert (record.method, record.host) == ("physical", "backup-node")
    assert site.left == []
    if record.differences:
        with pytest.raises(RunbookError, match="is not what its manifest says: the physical copy of overcloud: "):
            job.conclude()
        assert site.store.catalogue().sets[0].verified == frozenset()
    else:
        job.conclude()
        assert site.store.catalogue().sets[0].verified == site.store.catalogue().sets[0].kinds
    return record, run.journal.findings


def test_a_whole_copy_is_verified_and_how_long_it_took_is_on_record(site: DrillSite, copied: Backup) -> None:
    record, findings = verify(site, copied)
    assert (record.differences, findings) == ((), [])
    assert record.restore_seconds > 0
    runs = [line for line in (site.folder / "podman.log").read_text().splitlines() if line.startswith("run ")]
    assert len(runs) == 2
    assert all("--network=none" in line for line in runs)


def test_what_is_unusual_and_healthy_is_verified(site: DrillSite, origin: LocalServer) -> None:
    origin.empty()
    for number, sql in enumerate(HEALTHY.values()):
        origin.sql(f"CREATE DATABASE v{number}; USE v{number};\n{sql}")
    record, _ = verify(site, with_copy(back_up(origin), origin))
    assert record.differences == ()


def test_roots_own_password_in_the_copy_does_not_matter(site: DrillSite, origin: LocalServer) -> None:
    origin.empty()
    origin.sql(SAMPLE)
    origin.sql("ALTER USER root@localhost IDENTIFIED BY 'another'")
    origin.options.write_text("[client]\npassword=another\n")
    try:
        taken = with_copy(back_up(origin), origin)
    finally:
        origin.sql("ALTER USER root@localhost IDENTIFIED BY ''")
        origin.options.write_text("[client]\n")
    assert verify(site, taken)[0].differences == ()


def test_a_plugin_of_the_server_that_judges_passwords_does_not_keep_the_drill_out(
    site: DrillSite, origin: LocalServer
) -> None:
    origin.empty()
    origin.sql(SAMPLE)
    origin.sql("INSTALL SONAME 'simple_password_check'")
    try:
        taken = with_copy(back_up(origin), origin)
    finally:
        origin.sql("UNINSTALL SONAME 'simple_password_check'")
    assert verify(site, taken)[0].differences == ()


def test_what_is_written_while_it_is_copied_is_told_and_the_rest_compared(site: DrillSite, origin: LocalServer) -> None:
    origin.empty()
    origin.sql(SAMPLE)
    with writing(
        origin,
        "INSERT INTO nova.notes VALUES ('new', 1)",
        "UPDATE nova.instances SET host = UUID() WHERE id = 7",
        "DO NEXTVAL(nova.ticket)",
    ):
        taken = with_copy(back_up(origin), origin)
    record, findings = verify(site, taken)
    assert record.differences == ()
    assert findings == [
        "the physical copy of overcloud: tables nova.instances, nova.notes: written while the copy was made: compared by "
        "definition, and every row was read"
    ]


def test_a_row_that_was_there_only_while_it_was_copied_is_no_difference(site: DrillSite, origin: LocalServer) -> None:
    """Heat locks a stack with a row, and takes it away again."""
    origin.empty()
    origin.sql(SAMPLE)
    restart(origin)
    before = back_up(origin)
    origin.sql("INSERT INTO nova.faults (id, message) VALUES (999, 'a lock')")
    during = with_copy(before, origin)
    origin.sql("DELETE FROM nova.faults WHERE id = 999")
    taken = replace(during, after=with_copy(before, origin).after)
    assert taken.after is not None
    same = [each.schemas["nova"].tables["faults"].content for each in (taken.contents, taken.after)]
    assert same[0] == same[1]
    record, findings = verify(site, taken)
    assert record.differences == ()
    assert [finding for finding in findings if "table nova.faults: written while" in finding]


Damage = Callable[[Backup], Backup]


def stream(change: Callable[[bytes], bytes]) -> Damage:
    """Damages the stream, before it is compressed."""
    return lambda backup: replace(backup, copy=packed(change(unpacked(backup.copy))))


def compressed(change: Callable[[bytes], bytes]) -> Damage:
    """Damages what is compressed."""
    return lambda backup: replace(backup, copy=change(backup.copy))


def files(change: Callable[[Path], object]) -> Damage:
    """Changes files in the copy, as if it had been made so: each file of the stream is whole."""

    def changed(data: bytes) -> bytes:
        folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
        try:
            subprocess.run(["mbstream", "-x", "-C", folder], input=data, check=True, capture_output=True)
            change(folder)
            names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
            made = subprocess.run(["mbstream", "-c", *names], cwd=folder, check=True, capture_output=True)
        finally:
            shutil.rmtree(folder)
        return made.stdout

    return stream(changed)


def flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def written_over(path: Path, old: bytes, new: bytes) -> None:
    assert path.read_bytes().count(old) >= 1
    path.write_bytes(path.read_bytes().replace(old, new))


def without_sequences(backup: Backup) -> Backup:
    """A manifest that tells of no sequence, before and after."""
    nova = backup.contents.schemas["nova"].model_copy(update={"sequences": {}})
    told = backup.contents.model_copy(update={"schemas": {**backup.contents.schemas, "nova": nova}})
    return replace(backup, contents=told, after=told)


# What is damaged → how, and what is said of it.
DAMAGES: dict[str, tuple[Damage, str]] = {
    "compressed stream, cut": (compressed(lambda data: data[: len(data) * 3 // 4]), "the copy can't be decompressed"),
    "compressed stream, a byte flipped": (compressed(flipped), "the copy can't be decompressed"),
    "stream, cut in its middle": (stream(lambda data: data[: len(data) // 2]), "the copy can't be unpacked"),
    "stream, its last byte missing": (stream(lambda data: data[:-1]), "the copy can't be unpacked"),
    "stream, a byte flipped": (stream(flipped), "the copy can't be unpacked"),
    "stream, nothing in it": (stream(lambda _: b""), "the copy can't be prepared"),
    "nothing at all": (compressed(lambda _: b""), "the copy can't be "),
    "a dump in its place": (lambda backup: replace(backup, copy=backup.dump), "the copy can't be unpacked"),
    "a file of InnoDB missing": (
        files(lambda folder: (folder / "nova/instances.ibd").unlink()),
        "table nova.instances: can't be read",
    ),
    "a table's definition missing": (
        files(lambda folder: (folder / "nova/notes.frm").unlink()),
        "table nova.notes: is missing",
    ),
    "rows of a table of MyISAM missing": (
        files(lambda folder: (folder / "legacy/rates.MYD").write_bytes(b"")),
        "table legacy.rates: ",
    ),
    "a schema missing": (files(lambda folder: shutil.rmtree(folder / "only_views")), "schema only_views: is missing"),
    "InnoDB's own file missing": (files(lambda folder: (folder / "ibdata1").unlink()), "the copy can't be prepared"),
    "the server's own schema missing": (
        files(lambda folder: shutil.rmtree(folder / "mysql")),
        "no server starts on it",
    ),
    "another MariaDB's": (
        files(lambda folder: written_over(folder / "xtrabackup_info", b"server_version = 10", b"server_version = 9")),
        "the copy is of MariaDB 9.",
    ),
    "of no MariaDB that it says": (
        files(lambda folder: (folder / "xtrabackup_info").unlink()),
        "the copy is of MariaDB no version that it says",
    ),
    "a page of InnoDB damaged": (
        files(lambda folder: written_over(folder / "nova/instances.ibd", b"uuid-150", b"uuid-15p")),
        "table nova.instances: can't be read",
    ),
    "a page of the server's own tables damaged": (
        files(lambda folder: written_over(folder / "mysql/proc.MAD", b"DELETE FROM faults", b"DELETE FROM sfault")),
        "procedure nova.archive: is missing",
    ),
    "a manifest that tells of less": (without_sequences, "sequence nova.ticket: is there, and was not backed up"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_a_finding_on_record_and_the_runs_end(kind: str, site: DrillSite, copied: Backup) -> None:
    damage, said = DAMAGES[kind]
    record, findings = verify(site, damage(copied))
    assert any(said in difference for difference in record.differences), record.differences
    assert any(said in finding for finding in findings)


def test_a_copy_that_rots_on_the_store_is_verified_no_more(site: DrillSite, copied: Backup) -> None:
    name = site.keep(copied)
    site.verify()
    assert site.store.catalogue().sets[0].verified
    path = Path(site.store.base) / str(name) / "overcloud.mbstream.zst"
    path.write_bytes(flipped(path.read_bytes()))
    site.verify(number=100)
    record = site.store.catalogue().sets[0].records[-1]
    assert isinstance(record, Verified)
    assert record.differences[0] == "overcloud.mbstream.zst was changed: its checksum is another"
    assert not site.store.catalogue().sets[0].verified


def test_a_host_without_room_says_nothing_of_the_copy(site: DrillSite, copied: Backup) -> None:
    site.keep(copied)
    program = site.folder / "bin/mbstream"
    program.write_text(
        """#!/bin/bash\necho 'mbstream: Error writing file (Errcode: 28 "No space left on device")' >&2\nexit 1\n"""
    )
    program.chmod(0o755)
    with pytest.raises(RunbookError, match=r"the copy could not be prepared: .*No space left on device"):
        site.verify()
    assert site.store.catalogue().sets[0].records == ()
    assert site.left == []


def test_an_image_without_the_program_says_nothing_of_the_copy(site: DrillSite, copied: Backup) -> None:
    site.keep(copied)
    podman = site.folder / "bin/podman"
    podman.write_text(podman.read_text().replace('|| exec "${words[@]}"', "|| exit 61"))
    with pytest.raises(RunbookError, match="the image has no mariadb-backup, or no mbstream"):
        site.verify()
    assert site.store.catalogue().sets[0].records == ()
    assert site.left == []
