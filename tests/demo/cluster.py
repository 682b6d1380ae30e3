"""What the demo does to the lab's cluster, and what it looks at."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab import Lab, LabError
from tests.lab.kinds import Wanted
from tests.lab.settings import UNDERCLOUD
from tests.lab.shell import wait_until

_FIRST = Lab.controllers[0]
_CONTAINER = '"$(podman container ls --format "{{.Names}}" --filter=name=galera-bundle)"'
# Left on the first controller from before the destruction until the restore was seen to be good.
_DESTROYED = "/root/demo-destroyed"
_JOURNAL = "/var/lib/openstack-runbooks/restore-galera/current.json"
# mysqld_safe first, or it starts the server again. `-x` leaves Pacemaker's own process in the container alone.
_DESTROY = f"""
podman exec {_CONTAINER} bash -c '
  pkill -9 -x "mysqld_safe|mariadbd-safe"
  pkill -9 -x "mysqld|mariadbd"
  find /var/lib/mysql -mindepth 1 -delete
  true'
"""
BEFORE = ("alpha", "bravo", "charlie")
AFTER = ("written-after-the-dump-1", "written-after-the-dump-2")


def bring_up(lab: Lab, wanted: Wanted) -> None:
    """Make sure that there is a healthy lab.

    Hosts on which an earlier demo, or a restore, was interrupted are switched off first: `up` then makes new ones from
    its cache, and need not find out that the cluster will never become healthy. So are those of another release, or with
    another floor.

    Args:
        lab: The lab.
        wanted: The kind of lab.
    """
    running = lab.machines.running()
    kind = lab.kind()
    reason = wanted.differs_from(kind) if kind and running else ""
    if not reason and _FIRST in running and _is_interrupted(lab):
        reason = "an earlier demo or restore was interrupted here"
    if reason:
        lab.progress(f"there is a lab, but {reason}: beginning with fresh hosts")
        for name in running:
            lab.kill(name)
    lab.up(release=wanted.release, floor=wanted.floor)


def _is_interrupted(lab: Lab) -> bool:
    try:
        return lab.exec(_FIRST, f"[ -e {_DESTROYED} ] || [ -e {_JOURNAL} ]", check=False, timeout=20).returncode == 0
    except (LabError, OSError):
        return True  # It is on, and does not answer.


def write_rows(lab: Lab, rows: tuple[str, ...], anew: bool = False) -> None:
    """Write rows into a table of the demo's own.

    Args:
        lab: The lab.
        rows: What is written.
        anew: Make the table first; what an earlier demo left in it is gone.
    """
    if anew:
        lab.sql(_FIRST, "CREATE OR REPLACE TABLE keystone.demo (note VARCHAR(64) PRIMARY KEY) ENGINE=InnoDB")
    for row in rows:
        lab.sql(_FIRST, f"INSERT INTO keystone.demo VALUES ('{row}')")  # noqa: S608 - rows of our own


def rows_on(lab: Lab, host: str) -> tuple[str, ...]:
    """The rows that a controller has."""
    return tuple(lab.sql(host, "SELECT note FROM keystone.demo ORDER BY note").split())


def ask_as_client(lab: Lab) -> tuple[bool, str]:
    """Ask through the VIP as keystone does, from another host.

    Returns:
        Whether there was an answer, and what was said.
    """
    options = f"[client]\nhost={lab.vip}\nuser=keystone\npassword={lab.passwords['keystone']}\nconnect-timeout=3\n"
    words = ["mysql", "--defaults-file=/dev/stdin", "-NBe", "SELECT GROUP_CONCAT(note) FROM keystone.demo"]
    done = lab.exec(UNDERCLOUD, ["timeout", "10", *words], input=options, check=False)
    said = (done.stdout + done.stderr).strip() or f"no answer within 10 s (exit code {done.returncode})"
    return done.returncode == 0, said


def destroy(lab: Lab) -> None:
    """Kill every database, empty every data directory, and wait until the clients and Pacemaker have noticed."""
    lab.exec(_FIRST, ["touch", _DESTROYED])
    for name in lab.controllers:
        lab.exec(name, _DESTROY)
    wait_until("the clients did not notice", lambda: "the VIP answers" if ask_as_client(lab)[0] else "", timeout=60)
    wait_until("Pacemaker did not notice", lambda: _unnoticed(lab), timeout=90)


def _unnoticed(lab: Lab) -> str:
    failed = sum(f"monitor on galera-bundle-{number}" in pacemaker(lab) for number in range(len(lab.controllers)))
    return "" if failed == len(lab.controllers) else f"{failed} failed monitors in `pcs status`"


def let_pacemaker_rest(lab: Lab) -> None:
    """Wait until Pacemaker has nothing under way: it tries to heal what it can, as it would until an operator comes."""
    lab.exec(_FIRST, ["crm_resource", "--wait", "--timeout=180s"], check=False)


def forget_destruction(lab: Lab) -> None:
    """Note that the cluster is whole again."""
    lab.exec(_FIRST, ["rm", "-f", _DESTROYED])


def pacemaker(lab: Lab) -> str:
    """What `pcs status` says of the Galera bundle, and the failures that it lists."""
    status = lab.exec(_FIRST, "pcs status", check=False, timeout=60).stdout
    wanted = ("Container bundle set: galera-bundle", "(ocf:heartbeat:galera)", "Failed Resource Actions")
    lines = [line for line in status.splitlines() if any(words in line for words in wanted)]
    failures = status.partition("Failed Resource Actions:")[2].splitlines()
    more = [line for line in failures if line.startswith("  *") and line not in lines]
    return "\n".join([*lines, *more])


@dataclass(frozen=True)
class Member:
    """What a controller's database says of itself."""

    host: str
    size: str
    uuid: str
    state: str
    rows: tuple[str, ...]


def member(lab: Lab, host: str) -> Member:
    """Ask a controller's database."""
    status = dict(
        line.split("\t", 1) for line in lab.sql(host, "SHOW STATUS LIKE 'wsrep%'").splitlines() if "\t" in line
    )
    return Member(
        host,
        status.get("wsrep_cluster_size", "?"),
        status.get("wsrep_cluster_state_uuid", "?"),
        status.get("wsrep_local_state_comment", "?"),
        rows_on(lab, host),
    )


def problems(lab: Lab, members: list[Member]) -> list[str]:
    """What is not as it should be after the restore; empty if all is."""
    found = []
    for one in members:
        if (one.size, one.state) != (str(len(lab.controllers)), "Synced"):
            found.append(f"{one.host}: {one.state} in a cluster of {one.size}")
        if one.rows != BEFORE:
            found.append(f"{one.host}: it has the rows {one.rows}")
    if len({one.uuid for one in members}) != 1:
        found.append("the controllers are in different clusters")
    answered, said = ask_as_client(lab)
    if not answered or said != ",".join(BEFORE):
        found.append(f"a client at {lab.vip} gets: {said}")
    return found


def dumps_written(lab: Lab, *paths: str) -> str:
    """The files of a dump, as `ls` shows them."""
    return lab.exec(_FIRST, ["ls", "-l", *paths]).stdout
