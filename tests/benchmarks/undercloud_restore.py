"""restore-undercloud-database, next to the documented commands typed by hand."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.flow_run import APPROVED, carry_out
from tests.benchmarks.lab_job import Job, login, timed_script
from tests.lab import LabError, undercloud
from tests.lab.settings import HOSTS, UNDERCLOUD
from tests.restore_undercloud_database.site import DUMP, UndercloudSite
from tests.server.fixtures import PrefectServer

CONTENDERS = ("undercloud-by-hand", "undercloud")
_SCRIPT = Path(__file__).resolve().parent / "by-hand-undercloud.sh"
_BY_HAND = "/var/lib/mysql_bck"


def run(name: str, prefect: PrefectServer, job: Job) -> dict[str, float]:
    """Let a contender restore the undercloud's database, and see that all of it is there, and runs.

    Args:
        name: One of CONTENDERS.
        prefect: With the lab's site applied, and a worker.
        job: The lab.

    Returns:
        Its seconds by its name.

    Raises:
        LabError: It did not leave the undercloud as it was.
    """
    site = UndercloudSite(job.lab, prefect)
    undercloud.wait_running(job.lab.machines)
    site.dump("--single-transaction", "--routines", "--events", "--triggers")
    before = (site.objects(), site.checksums())
    try:
        if name == "undercloud":
            seconds = carry_out(prefect, "restore-undercloud-database", dump=DUMP, **APPROVED).flow_s
        else:
            seconds = timed_script(["bash", str(_SCRIPT), *login(job), DUMP, HOSTS[UNDERCLOUD].address])
            # No unit knows it: by hand it would have to be remembered.
            site.exec(f"podman start {undercloud.STRAY}; podman untag localhost/mariadb:latest || :")
        undercloud.wait_running(job.lab.machines)
        if (site.objects(), site.checksums()) != before:
            raise LabError("the undercloud's database is not what it was")
    finally:
        site.exec(f"rm -rf {_BY_HAND} {' '.join(site.saves())}; rm -f /var/lib/mysql/{DUMP.rpartition('/')[2]}")
    return {name: seconds}
