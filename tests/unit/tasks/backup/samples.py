"""A store in a folder of the test's own, and sets in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from blocks.store import BackupStore
from tasks.backup.backup_set import SetName, parse_received
from tasks.backup.manifest import DatabaseBackup, Kind, Manifest, Role
from tasks.backup.records import Verified
from tasks.backup.store import Store
from tasks.backup.writing import begin, receive, seal, tell
from tests.unit.fakes import LocalShell

START = datetime(2026, 11, 27, 1, 30, tzinfo=UTC)
RUN = UUID("1a2b3c4d-0000-4000-8000-000000000000")
LOGICAL = Kind("backup-undercloud", "undercloud", "logical")
PHYSICAL = LOGICAL._replace(method="physical")
RECIPIENT = "age1" + "q" * 58


def run_id(number: int) -> UUID:
    """The id of one of several runs."""
    return UUID(int=(number << 96) | 1)


def make_store(root: Path, site: str = "lab", path: Path | None = None, **settings: object) -> Store:
    """A store on this machine.

    Args:
        root: Its directory; the block wants a plain path, the test's own may be any.
        site: The site's name.
        path: A folder of programs that go before all others.
        settings: Of the store.
    """
    block = BackupStore.model_validate({"kind": "sftp", "host": "192.0.2.9", "path": "/backups"} | settings)
    return Store(LocalShell(path), block.model_copy(update={"path": str(root)}), site)


def name_of(number: int = 0, runbook: str = "backup-undercloud") -> SetName:
    """The name of the set that the run with this number makes, a day after the one before."""
    return SetName.of(runbook, "database", START + timedelta(days=number), run_id(number))


def manifest_of(number: int, files: Mapping[str, tuple[Role, str]], store: Store, **changes: object) -> Manifest:
    """Receive files, and tell of them.

    Args:
        number: Of the run.
        files: File name → what it is, and what is in it.
        store: Where.
        changes: Other attributes of the manifest.
    """
    name = name_of(number)
    told = []
    for file, (role, text) in files.items():
        got = parse_received(store.shell.run(receive(store, name, file, stdin=text)).stdout)
        told.append(tell(store, file, got, role, "undercloud"))
    plain = Manifest(
        site=store.site,
        runbook="backup-undercloud",
        content="database",
        run_id=run_id(number),
        started=START + timedelta(days=number),
        sealed=START + timedelta(days=number, minutes=9),
        hosts=("undercloud",),
        databases=(DatabaseBackup(name="undercloud", host="undercloud", server_version="10.3.28-MariaDB"),),
        files=tuple(told),
    )
    return plain.model_copy(update=changes)


DUMP: Mapping[str, tuple[Role, str]] = {"undercloud.sql.gz": ("logical dump", "-- a dump\n")}


def make_set(store: Store, number: int = 0, files: Mapping[str, tuple[Role, str]] = DUMP) -> SetName:
    """Make a sealed set."""
    at = START + timedelta(days=number)
    begin(store, name_of(number), run_id(number), at)
    return seal(store, manifest_of(number, files, store), at)


def verification(number: int = 0, **changes: object) -> Verified:
    """The record of a restore."""
    plain = Verified(
        at=START + timedelta(days=number, hours=1),
        run_id=run_id(number),
        database="undercloud",
        method="logical",
        host="undercloud",
        restore_seconds=61.5,
    )
    return plain.model_copy(update=changes)


def elsewhere(store: Store, site: str) -> Store:
    """The same directory, for another site."""
    made = make_store(Path("/nonexistent"), site)
    return Store(store.shell, made.settings.model_copy(update={"path": store.settings.path}), site)


def folders(store: Store) -> list[str]:
    """What lies in the folder of the sets, hidden or not."""
    return sorted(path.name for path in (Path(store.base) / name_of().folder).iterdir())
