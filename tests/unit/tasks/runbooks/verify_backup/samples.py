"""A store with sets that can be verified, and hosts on which they may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blocks.site import Site
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import DatabaseBackup, Role
from tasks.backup.store import Store
from tasks.backup.writing import begin, seal
from tasks.database.contents import SchemaContents, ServerContents, TableContents
from tasks.engine.run import Run
from tests.unit.fakes import FakeShell
from tests.unit.tasks.backup.samples import START, manifest_of, name_of, run_id
from tests.unit.tasks.samples import SITE, journal

IMAGE = "0a1b2c3d"
CONTENTS = ServerContents(
    version="10.3.28-MariaDB",
    schemas={
        "ironic": SchemaContents(
            charset="utf8",
            collation="utf8_general_ci",
            tables={"nodes": TableContents(engine="InnoDB", rows=3, content="7")},
        )
    },
)
FILES: dict[str, tuple[Role, str]] = {
    "undercloud.sql": ("logical dump", "-- Dump completed\n"),
    "undercloud-grants.sql": ("grants", ""),
}
COPY: dict[str, tuple[Role, str]] = {"undercloud.mbstream": ("physical copy", "x" * 100)}


def make_set(
    store: Store, number: int = 0, files: dict[str, tuple[Role, str]] | None = None, **database: Any
) -> SetName:
    """Make a set that can be verified.

    Args:
        store: Where.
        number: Of its run.
        files: Instead of a dump and its grants.
        database: Other attributes of its database.
    """
    begin(store, name_of(number), run_id(number), START)
    plain = DatabaseBackup(
        name="undercloud",
        host="undercloud",
        server_version="10.3.28-MariaDB",
        image=IMAGE,
        contents=CONTENTS.model_dump(mode="json"),
    ).model_copy(update=database)
    return seal(store, manifest_of(number, files or FILES, store, databases=(plain,)), START)


def site_of(store: Store, **settings: object) -> Site:
    """A site with this store, a backup node, an undercloud and three controllers."""
    return SITE.model_copy(
        update={
            "store": store.settings.model_copy(update=settings),
            "hosts": SITE.hosts | {"backup-node": "192.0.2.10"},
            "backup_node": "backup-node",
            "undercloud": "undercloud",
        }
    )


def host(name: str, *lines: str) -> FakeShell:
    """A host that answers what it has."""
    return FakeShell(name).on("MemAvailable", say="".join(f"{line}\n" for line in lines))


def fit(*more: str) -> list[str]:
    """What a host has that will do."""
    return ["program podman", f"image {IMAGE}", f"memory {2**32}", f"free {2**40}", *more]


def run_of(store: Store, *others: FakeShell, **settings: object) -> Run:
    """A run on the store's host and others."""
    shells = {"backup-node": store.shell, **{other.name: other for other in others}}
    return Run(
        "verify-backup",
        site_of(store, **settings),
        shells,
        False,
        journal(runbook="verify-backup", run_id=str(run_id(9))),
    )


def with_programs(folder: Path, **programs: str) -> Path:
    """A folder of programs: each is the bash that is given."""
    folder.mkdir(exist_ok=True)
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return folder
