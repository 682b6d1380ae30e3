"""Backups, their verification and restores from them, next to the dump that the vendor's role takes and its restore by hand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tasks.backup.backup_set import SetName
from tasks.backup.store import Store
from tests.backups.backed_up import PATH, BackedUp
from tests.benchmarks.flow_run import APPROVED, Took, carry_out
from tests.benchmarks.lab_job import Job
from tests.lab.dumps import as_role
from tests.server.fixtures import PrefectServer

CONTENDERS = ("role-dump", "backup-logical", "backup-both", "from-dump", "from-copy")
# Steps of backup-control-plane.
_COPY, _VERIFICATION = "3d", "V1"


@dataclass(frozen=True)
class Site:
    """The lab with a store, as its Prefect server knows it.

    Attributes:
        prefect: The server, with a worker.
        backed_up: The lab and its store.
    """

    prefect: PrefectServer
    backed_up: BackedUp

    @classmethod
    def of(cls, prefect: PrefectServer, job: Job, folder: Path) -> Site:
        """Make the store, and a site file that names it."""
        made = cls(prefect, BackedUp(job.lab, prefect, folder / "lab.toml"))
        job.lab.exec("backup", ["rm", "-rf", PATH])
        job.lab.exec("backup", ["install", "-d", "-m", "700", PATH])
        made.backed_up.apply()
        return made


def run(name: str, site: Site, job: Job) -> dict[str, float]:
    """Let a contender run.

    Args:
        name: One of CONTENDERS.
        site: The lab with its store.
        job: The lab.

    Returns:
        Seconds by what they are of: the contender itself, and what else it shows.
    """
    if name == "role-dump":
        started = time.monotonic()
        as_role(job.lab)
        return {name: time.monotonic() - started}
    if name.startswith("from-"):
        return {name: _restored(site, with_copy=name == "from-copy").flow_s}
    methods = '["logical"]' if name == "backup-logical" else '["logical", "physical"]'
    took = carry_out(site.prefect, "backup-control-plane", methods=methods)
    verification = took.steps[_VERIFICATION]
    shown = {name: took.flow_s - verification, f"{name}, verification": verification}
    return shown | ({f"{name}, the copy": took.steps[_COPY]} if _COPY in took.steps else {})


def _restored(site: Site, with_copy: bool) -> Took:
    """Restore the newest backup that has a physical copy, or has none."""
    with site.backed_up.store() as store:
        newest_first = [found.name for found in reversed(store.catalogue().sets)]
        chosen = next(name for name in newest_first if _has_copy(store, name) is with_copy)
    return carry_out(site.prefect, "restore-galera", backup=str(chosen), **APPROVED)


def _has_copy(store: Store, name: SetName) -> bool:
    manifest = store.manifest(store.catalogue().find(str(name)))
    return any(file.role == "physical copy" for file in manifest.files)
