"""What all contenders work on: the lab, one dump of everything in it, and how each leaves the lab behind."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import Lab, LabError
from tests.lab.dumps import Dump, complete
from tests.lab.settings import HOSTS

# A column that every database of the lab has filled; its sum tells whether the dump's rows are there.
_CHECK = "CHECKSUM TABLE nova.instance_extra, keystone.user, cinder.volume_glance_metadata, heat.raw_template"


@dataclass
class Job:
    """The lab and the dump that everybody restores.

    Attributes:
        lab: Up and healthy.
        size_mb: Size of its databases.
        dump: Of all schemas and accounts.
        rows: Checksums of large tables at the time of the dump.
    """

    lab: Lab
    size_mb: int
    dump: Dump
    rows: str

    @property
    def addresses(self) -> list[str]:
        """The controllers' addresses."""
        return [HOSTS[name].address for name in self.lab.controllers]


def prepare(size_mb: int) -> Job:
    """Bring the lab up with databases of this size, and take the dump.

    A lab of another size is switched off first: its cache has the hosts of either size.
    """
    lab = Lab()
    try:
        lab.up(size_mb=size_mb)
    except LabError as error:
        if "MB of databases" not in str(error):
            raise
        for name in lab.machines.running():
            lab.kill(name)
        lab.up(size_mb=size_mb)
    return Job(lab, size_mb, complete(lab), lab.sql(lab.controllers[0], _CHECK))


def login(job: Job) -> tuple[str, str, str]:
    """Account, key and pinned host keys with which the scripts get in."""
    return ("heat-admin", str(job.lab.key), str(job.lab.known_hosts))


@contextmanager
def whole_afterwards(job: Job) -> Iterator[None]:
    """See that a contender left a healthy cluster with the dump's rows on every node; remove what it kept.

    Raises:
        LabError: It did not: then its time counts for nothing.
    """
    before = {name: _kept(job, name) for name in job.lab.controllers}
    if any("/var/lib/mysql-save" in kept for kept in before.values()):
        raise LabError("/var/lib/mysql-save is there already: see what it holds, and remove it")
    # Nobody begins while the disk or Pacemaker is still busy with what came before.
    os.sync()
    job.lab.exec(job.lab.controllers[0], ["crm_resource", "--wait", "--timeout=180s"], check=False)
    yield
    job.lab.wait_healthy()
    for name in job.lab.controllers:
        if job.lab.sql(name, _CHECK) != job.rows:
            raise LabError(f"{name} does not have the rows of the dump")
    for name in job.lab.controllers:
        for path in _kept(job, name) - before[name]:
            job.lab.exec(name, ["rm", "-rf", path])
        # The document leaves them in the data directory.
        job.lab.exec(name, "rm -f /var/lib/mysql/*.sql")


def _kept(job: Job, host: str) -> set[str]:
    return set(job.lab.exec(host, "ls -d /var/lib/mysql-save* 2>/dev/null || :").stdout.split())


def timed_script(words: list[str], timeout_s: float = 3600) -> float:
    """Run a shell script, its output to the terminal; returns its seconds.

    Raises:
        LabError: It failed.
    """
    started = time.monotonic()
    done = subprocess.run(words, stdin=subprocess.DEVNULL, timeout=timeout_s)
    if done.returncode != 0:
        raise LabError(f"{Path(words[1]).name} ended with {done.returncode}")
    return time.monotonic() - started
